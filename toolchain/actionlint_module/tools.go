//go:build tools

// Package tools keeps the command in go.mod.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
