// Package proxyproto is the PROXY protocol, by which a proxy says ahead of a connection's bytes whose they are:
// versions 1 and 2, https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt.
package proxyproto
