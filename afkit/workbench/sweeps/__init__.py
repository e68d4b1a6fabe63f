"""Many runs at once, on this machine or a cluster."""
