// Data of ec2instances.info as a Go module: AWS's prices of every instance class and type.
module pgkeep/instance-prices

go 1.16

require github.com/LeanerCloud/ec2-instances-info v0.0.0

// The module's author publishes it under this path too; a proxy has only this one.
replace github.com/LeanerCloud/ec2-instances-info => github.com/cristim/ec2-instances-info v0.0.0-20250528091325-32acf84f42eb
