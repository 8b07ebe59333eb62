// Package proxyproto implements versions 1 and 2 of the PROXY protocol, by which a proxy writes the addresses of its
// client ahead of a connection's bytes: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt.
package proxyproto
