// Package grpc runs gRPC-Go, server and client, on Ringo's connections.
package grpc
