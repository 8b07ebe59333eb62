// Kv is a replicated key-value server and its client, on package raftkv. This starts three replicas on one machine:
//
//	cd examples/kv
//	go run . -self 127.0.0.1:7001 -dir /tmp/kv1 &
//	go run . -self 127.0.0.1:7002 -dir /tmp/kv2 &
//	go run . -self 127.0.0.1:7003 -dir /tmp/kv3 &
//	go run . put colour green
//	go run . swap colour green blue
//	go run . get colour
//
// This adds a replica that takes the place of the third:
//
//	go run . -self 127.0.0.1:7004 -dir /tmp/kv4 -join &
//	go run . add 127.0.0.1:7004
//	go run . promote 127.0.0.1:7004
//	go run . remove 127.0.0.1:7003
package main
