module ringo

go 1.25.0

require golang.org/x/sys v0.45.0

require golang.org/x/net v0.55.0

require github.com/BurntSushi/toml v1.6.0
