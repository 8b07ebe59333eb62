// Package upgrade replaces a running program by its successor, a new build or the same one with another configuration,
// without losing a connection.
//
//	up, err := upgrade.New(ctx, &upgrade.Config{Signals: []os.Signal{syscall.SIGUSR2}})
//	if err != nil {
//		return err
//	}
//	defer up.Close()
//	set, err := up.Reserve(nil, "tcp", ":8080") // the predecessor's socket, or a new one
//	if err != nil {
//		return err
//	}
//	cfg := &ringo.Config{Start: up.Started}
//	return sock.ServeSets(up.Context(), cfg, []*sock.ListenerSet{set}, serve)
//
// On a signal, or when Upgrade is called, the program starts its successor, which inherits the listening sockets: the
// same sockets, with their queues of peers, which are never closed in between. Both processes accept until the
// successor calls Ready. Then the predecessor's Context ends: its Run drains, so that requests under way are answered,
// and the predecessor ends. If a successor fails, ends or hangs before it is ready, the program goes on as it was.
//
// What is not passed on ends with the predecessor, in an orderly way: servers of package sockhttp answer the requests
// that they have received, and tell clients to connect again. For a protocol that can't say that, a program can pass
// connections on: see PassConn.
//
// # How it is done
//
// The successor is a child process. It inherits descriptors, numbered after those of its command, and the environment
// variable RINGO_UPGRADE, which says where they begin; New takes both, so that the successor's own children inherit
// neither. A Unix socket stays open between the two processes: over it the successor gets the names of the descriptors,
// and says that it is ready. The successor must be that child itself, so a shell script that starts the program has to
// use exec.
//
// The successor's parent ends, and process 1 adopts the successor. The program's supervisor has to know that: systemd
// gets MAINPID=, READY=1 and RELOADING=1 (sd_notify(3), Type=notify), but a supervisor that only waits for its child
// takes an upgrade for the program's end. A program that is process 1, as in many containers, or the child of one that
// is in service.Init, can't be replaced: Upgrade fails, since the whole container ends with it.
//
// All loops of a Run take connections from the same socket, see sock.ListenConfig.OneSocket, so the successor may have
// another number of loops. Upgrades work on Unix systems; elsewhere a program never has a predecessor, and Upgrade
// fails with errors.ErrUnsupported.
package upgrade
