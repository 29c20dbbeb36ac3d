package server

// This file: the description of all routes. Before it: openapi.json, kept by hand; openapi_test.go holds routes and answers against it. After it: clients.

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openapi []byte

func (s *Server) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openapi)
}
