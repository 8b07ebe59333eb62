module programs

go 1.25.0

require ringo v0.0.0

require golang.org/x/sys v0.45.0 // indirect

replace ringo => ../../../../
