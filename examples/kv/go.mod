module ringo/examples/kv

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	go.etcd.io/raft/v3 v3.7.0
	google.golang.org/protobuf v1.36.12
	ringo v0.0.0
)

require golang.org/x/sys v0.45.0 // indirect

replace ringo => ../../
