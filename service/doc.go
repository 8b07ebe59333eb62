// Package service connects a program with its supervisor: with systemd, or another manager of services that speaks its
// protocol (sd_notify(3)). Its Init is for programs that are process 1 of a container.
//
//	m, err := service.New(nil)
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	return sock.ListenAndServe(ctx, &ringo.Config{Start: m.Started}, "tcp", ":8080", serve)
//
// The manager gets READY=1 once all loops have started, and STOPPING=1, with the time that the drain may take, when the
// Run begins to drain. In between it gets pings if the unit has WatchdogSec=. A ping says more than that the process
// exists: each loop has run a task for it. So the pings stop while a loop is held, and go on when it turns again.
//
// Reload is for a program that rereads its configuration. Store makes the manager keep descriptors for the next start,
// which gets them as it gets the sockets of a unit, by name, from sock.Activated. Package upgrade makes a Manager by
// itself.
//
// Without a manager, that is, without the variable NOTIFY_SOCKET, messages go nowhere and methods that send them return
// nil: see Managed. With a manager each error is returned, or logged if no call of the program sent the message.
// Messages wait up to 5 s for a manager whose queue is full.
//
// Init is for programs that are started as process 1 and have descendants that they don't know.
package service
