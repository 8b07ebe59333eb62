// Serve has the programs whose cost on Ringo is compared with their cost on package net. Each is written once and runs
// on both: only the source of its connections differs, and whether they run in tasks or on goroutines.
//
//	serve -program http -on net                        on a listener of package net
//	serve -program http -on uring                      on a listener of Ringo, from goroutines
//	serve -program redis -on uring -handler conn       on a listener of Ringo, a task of the loop for each connection
//	serve -program shards -on uring -loops 8           redis with its keys spread over the loops
//
// Otherwise there is one loop, and GOMAXPROCS is what the runtime derives from the CPUs that it may use. Once it
// serves, it prints a line on stderr, as ringo echo does:
//
//	listening tcp://127.0.0.1:7000 driver=uring
package main
