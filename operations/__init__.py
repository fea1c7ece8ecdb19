"""What runs after `up`: the same code in AWS Lambda and on the command line."""
