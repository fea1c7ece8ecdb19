"""The Pulumi resource provider for package `aws` over the local cloud's AWS API."""
