"""One SDK each, behind a port. An adapter knows no other adapter."""
