package server

// This file: handlers that know the type of their request and return their error.

import "net/http"

// failing returns a handler that answers with the error that do returns.
func failing(do func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			fail(w, err)
		}
	})
}

// handle returns a handler that decodes the body into a T for do. If strictFields is set a field
// that T does not have is an error, and so is a query; T may be a defaulter and a formTaker.
func handle[T any](s *Server, strictFields bool, do func(http.ResponseWriter, *http.Request, *T) error) http.Handler {
	return failing(func(w http.ResponseWriter, r *http.Request) error {
		if strictFields && r.URL.RawQuery != "" {
			return invalid("this route reads nothing after the ? of its address: put it into the body")
		}
		q := new(T)
		done, err := s.bodies.decode(w, r, q, strictFields)
		if err != nil {
			return err
		}
		defer done()
		return do(w, r, q)
	})
}
