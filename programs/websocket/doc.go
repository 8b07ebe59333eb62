// Package websocket runs github.com/coder/websocket, server and client, on Ringo's connections.
package websocket
