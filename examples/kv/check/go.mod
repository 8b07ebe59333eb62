module ringo/examples/kv/check

go 1.25.0

require ringo v0.0.0

require (
	github.com/anishathalye/porcupine v1.3.1
	golang.org/x/sys v0.45.0 // indirect
)

replace ringo => ../../../
