// Package fasthttp runs the server of github.com/valyala/fasthttp in tasks, one for each connection, and on goroutines.
package fasthttp
