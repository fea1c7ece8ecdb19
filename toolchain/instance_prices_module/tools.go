//go:build tools

// Package tools keeps the data's module in go.mod.
package tools

import _ "github.com/LeanerCloud/ec2-instances-info"
