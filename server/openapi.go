package server

// This file: the description of all routes, openapi.json: kept by hand, held against routes and
// answers by openapi_test.go.

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openapi []byte

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openapi)
}
