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
// Once all loops have started the manager gets READY=1, when the Run begins to drain STOPPING=1 with the time that the
// drain may take, and in between, if the unit has WatchdogSec=, pings. A ping says more than that the process exists:
// each loop has run a task for it. So the pings end while a loop is held, and go on when it turns again.
//
// Reload is for a program that reads its configuration anew, and Store has the manager keep descriptors for the next
// start; these come back as the sockets of a unit do, by name, from sock.Activated. Package upgrade has a Manager by
// itself.
//
// Without a manager, which is one without the variable NOTIFY_SOCKET, messages go nowhere and methods that send them
// return nil: see Managed. Where there is one, each error is returned, or logged where no call sends the message.
// Messages wait up to 5 s for a manager whose queue is full.
//
// Init is for programs that are started as process 1 and have descendants of which they don't know.
package service
