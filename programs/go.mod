module ringo/programs

go 1.25.0

require (
	github.com/coder/websocket v1.8.15
	github.com/redis/go-redis/v9 v9.20.0
	github.com/valyala/fasthttp v1.70.0
	golang.org/x/net v0.56.0
	google.golang.org/grpc v1.80.0
	ringo v0.0.0
)

require (
	github.com/andybalholm/brotli v1.2.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/klauspost/compress v1.18.5 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	golang.org/x/sys v0.46.0 // indirect
	golang.org/x/text v0.38.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260120221211-b8f7ae30c516 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace ringo => ../
