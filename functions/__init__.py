"""The edge: parse a request, call one service, shape the answer. One module per job."""
