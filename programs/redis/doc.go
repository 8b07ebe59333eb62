// Package redis is a small server of the redis protocol in tasks, driven by go-redis.
package redis
