// Package http runs net/http's server and client on Ringo's listeners and dialled connections, plain, with TLS, and as HTTP/2.
package http
