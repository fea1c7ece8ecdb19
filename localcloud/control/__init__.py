"""The control plane: moto's server with the data planes behind it, and the control socket."""
