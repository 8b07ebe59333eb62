module ringo/programs

go 1.25.0

require ringo v0.0.0

require (
	golang.org/x/net v0.56.0
	golang.org/x/sys v0.46.0 // indirect
)

replace ringo => ../
