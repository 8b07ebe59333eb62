module ringo/bench

go 1.25.0

require (
	github.com/cloudwego/netpoll v0.7.2
	github.com/go-chi/chi/v5 v5.5.0
	github.com/lesismal/nbio v1.6.5
	github.com/panjf2000/gnet/v2 v2.9.3
	github.com/valyala/fasthttp v1.70.0
	golang.org/x/sys v0.45.0
	ringo v0.0.0
)

require (
	github.com/andybalholm/brotli v1.2.1 // indirect
	github.com/bytedance/gopkg v0.1.1 // indirect
	github.com/cloudwego/gopkg v0.1.4 // indirect
	github.com/klauspost/compress v1.18.5 // indirect
	github.com/panjf2000/ants/v2 v2.11.3 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	golang.org/x/net v0.55.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.2.1 // indirect
)

replace ringo => ../
