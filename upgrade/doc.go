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
// On a signal, or by Upgrade, the program starts its successor, which inherits the listening sockets: the same sockets,
// with their queues of peers, which no moment finds closed. Both accept until the successor says Ready. Then the
// predecessor's Context ends: its Run drains, which serves peers that had connected and are in the midst of something,
// and it ends. A successor that fails, ends or hangs before it is ready leaves the program as it was.
//
// What is not passed on ends with the predecessor, in order: servers of package sockhttp answer what was asked and tell
// clients to come again. A protocol that has no word for that can have its connections passed on, see PassConn.
//
// # How it is done
//
// The successor is a child process. It gets the descriptors behind those of its command, and the environment variable
// RINGO_UPGRADE, which says where they begin; New takes both away, so that its own children have neither. A socket of
// the Unix family stays open between the two: by it the successor gets the names of the descriptors, and says that it
// is ready. So a shell script that starts the program has to do it by exec.
//
// The successor's parent ends, and process 1 adopts it. What supervises the program has to know: systemd is sent
// MAINPID=, READY=1 and RELOADING=1 (sd_notify(3), Type=notify), and a supervisor that waits for its child alone takes
// an upgrade for the program's end. As process 1, as in many containers, and below one that is in service.Init, a
// program can't be replaced: Upgrade fails, since all of the container ends with it.
//
// Each loop of a Run takes connections from the one socket, see sock.ListenConfig.OneSocket; so the successor may have
// another number of loops. It works on Unix systems; elsewhere New is of a program without predecessor, and Upgrade
// fails with errors.ErrUnsupported.
package upgrade
