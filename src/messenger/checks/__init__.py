"""What `messenger check` looks at. Each file is one subject; none of them changes anything on any server."""
