//go:build linux

package socktest

import (
	"slices"
	"strings"
)

// excusal is what tests of behaviour don't run in simulated worlds, and why.
type excusal struct {
	why        string
	sock, file string // their names
}

// Reasons that the lists of cells and of tests don't share.
const (
	netsPeers = "its peers are package net's, and on a goroutine"
	ownRuns   = "it makes Runs of its own, by ringo.Run"
	// A world has one thread, and its watchdog ends the process when a task holds it.
	goroutinesHold = "a task waits for goroutines in Go's way, or in a system call, and holds the world"
)

// excused are all of them. ExcusedFromWorlds looks whether one would pass.
var excused = []excusal{
	{why: netsPeers,
		sock: "TestActivated TestAllocsOfParkedWrites TestAllocsOfSplices TestAllocsPerRequest " +
			"TestBytesAndFINTogether TestCallsFromOutside TestCloseWriteInterrupted TestConnectAndVanish " +
			"TestConnectionOrders TestCrosswise TestCrowdIsServedEvenly TestCrowdsLeaveNothing TestDetach " +
			"TestDetachAndAdoptEnded TestDetachConn TestDetachConnEnded TestDetachTCP TestDetachTCPEnded TestDial " +
			"TestDialErrorsAsNet TestDialTooLateAsNet TestDialZone TestDisturbed TestDrainServesWhoHasConnected " +
			"TestEmptyRecordIsNoEndForGoroutines TestFile TestFileServer TestFileUnread TestFilesFloodServed " +
			"TestFilesNobodyTakes TestFullBufferIsOneReceive TestFullQueue TestGoroutinesServe " +
			"TestGreedyPeersHoldLittle TestHandlerLearnsOfLostAnswer TestHandlersInheritLabels " +
			"TestLeasesReleasedElsewhere TestListenBesideAnotherProcess TestListenErrorsAsNet TestListenInUse " +
			"TestMoveFromHandler TestMoveTo TestMoveToCarries TestMoveToCarriesLinger TestMoveToCarriesTheEnd " +
			"TestMoveToCarriesZeroCopy TestPacketEcho TestPacketFlood TestPacketWriteDeadlineMovedByOthers " +
			"TestParkedStacks TestPeekOverHandlerUnread TestPeerCred TestPeersThatNeverRead " +
			"TestPipeliningWithoutReading TestProxy TestRawClose TestRawControl TestRawControlHoldsTheDescriptor " +
			"TestRawErrors TestRawPanic TestRawRead TestRawReadUnread TestRawReadersAmongOthers TestRawWrite " +
			"TestReadDeadlineMovedByOthers TestReadMsgUnix TestReadMsgUnixAfterPeek TestReadersOfAllKinds " +
			"TestRecordsChangeHands TestRecordsCopy TestRecordsEmpty TestRecordsNext TestRecordsPeek " +
			"TestRecordsRead TestRecordsVector TestRecordsWrite TestRecvFiles TestResetBehindBytes " +
			"TestSendFileOfAnotherLoop TestSendFiles TestServeBurstMeanwhile TestServeBursts " +
			"TestServeDeadlineMoves TestServeDrain TestServeDrainEndsTalkers TestServeDrainResetsNobody " +
			"TestServeEndings TestServeFramesInPieces TestServeInputWhileRunning TestServeLendsToGoroutine " +
			"TestServeOpenGreets TestServeParksInWrite TestServePipelined TestServeRequestReadsToTheEnd " +
			"TestServeRestsWithPartOfAFrame TestServeSets TestServeSharedHandler TestServeUnread TestSlowReaders " +
			"TestStormOfAccepts TestStormOfResets TestTLS TestTaskOfAnotherLoop TestTaskWaitsAtOtherLoop " +
			"TestTasksOfServers TestTimeoutOfTheRest TestTinyRings TestTrafficOrders TestUnixAcceptInGoroutines " +
			"TestUnixBacklogFull TestUnixWaitsEnd TestUrgentByte TestUrgentByteAtOnce TestWriteMsgUnix",
	},
	{why: noGoroutines,
		sock: "TestErrorOfAccepted " +
			"TestBusyPeerIsFair TestCloseBehindForeignCallers TestConnErrorsAsNetFromGoroutines " +
			"TestDatagramsShortOfDescriptors TestDeadlineLosesNothing TestDeadlinePerRequestIsFree " +
			"TestDeadlinesAcross TestDeferAccept TestHalfOpenReader TestHalfOpenWriter " +
			"TestListenerCallsFromOutside TestLongWriteIsFair TestNetAfterClose TestNetDeadlineFar " +
			"TestNetDeadlineMoved TestNetDeadlineOfOneDirection TestNetDialRefused TestNetDualStack " +
			"TestNetHalfClose TestNetLingerZero TestNetLocalAddr TestNetPeerGoes TestNetResetDuringWrite " +
			"TestNetSelfConnect TestNetZeroLength TestPeekSizes TestPipe TestReadV TestReadsAgainstModel " +
			"TestRecordsWriteWaits TestResetInEachState TestSendFile TestSendFileErrors TestSendFileOneSegment " +
			"TestSlowPeersCostOthersNothing TestSpliceByTurns TestTLSClientStalls TestTaskBehindTakeover " +
			"TestTaskWaitsAtConn TestTryWrite TestUnixBulk TestUnixEcho TestUserTimeoutEndsWrite " +
			"TestWriteDeadlineMovedByOthers TestWriteLeaseSlowly TestWriteTo TestWriteV TestZeroCopy " +
			"TestZeroValuesOfNet",
		file: "TestStreamTurnEnds",
	},
	{why: goroutinesHold,
		sock: "TestAcceptedAheadIsHandedOver TestAdoptSet TestAllocsPerConnection TestCancelLosesNothing " +
			"TestCloseThatLingersOutlivesItsLoop TestCloseUnderGoroutinesInAccept TestClosedBetweenPieces " +
			"TestControlUnderGoroutinesInAccept TestCopyOfPipeToConn TestDetachedCloseBesideAnother " +
			"TestDetachedCloseBesideOneThatLingers TestDetachedCloseWithoutTheLoop TestDetachedEndWithTheLoop " +
			"TestDetachedInAStorm TestDetachedMeetTasks TestDetachedThatAreClosedAreForgotten TestDialAborted " +
			"TestDialEndsWithRun TestDialWithoutSlotSaysSo TestDirectionGoesBackInOrder " +
			"TestDrainUnderGoroutinesInAccept TestEachConnectionIsAcceptedOnce TestEchoes TestForeignAllocations " +
			"TestForeignDeadlinesByAnyClock TestFullOffloadHoldsUpNobody TestGoroutinesAcceptAfterTasks " +
			"TestGoroutinesAcceptAllocations TestGoroutinesAcceptBesideTasks TestGoroutinesAcceptFromSharedSocket " +
			"TestGoroutinesAcceptTheLastComer TestGoroutinesAcceptWithTheSameOptions " +
			"TestGoroutinesAcceptWithoutTheLoop TestGoroutinesHearThatAcceptsFail TestGoroutinesReadInTurn " +
			"TestGoroutinesWaitOutEMFILE TestHandlesDetached TestHandlesInMotion " +
			"TestIdleConnectionsDoNotHoldTheDrain TestListenAndServe TestListenAndServeTaskEnds " +
			"TestLoopEndsUnderWaitsShortOfDescriptors TestLoopsShare TestPacketAllocs TestPacketBatch " +
			"TestPacketControl TestPacketCrosswise TestPacketEmpty TestPacketMulticast " +
			"TestPacketReadersOfAllKinds TestPacketRefused TestPacketSegments TestPacketShared " +
			"TestPacketTruncation TestPacketWrongAddresses TestPeekedBytesOutliveCallsOfOthers TestRawListener " +
			"TestRecordsServe TestRecvFilesAtTheLimit TestServeEndsBesideGoroutine TestServeManyConnections " +
			"TestServeOfAnotherLoop TestSharedAcceptGivenUp TestSharedIsNotHoarded " +
			"TestSharedListenerLeavesNoConnection TestSharedListenersClose TestSharedListenersOfGoroutines " +
			"TestSharedListenersTakeWhatTheyAskFor TestShortageEndsUnderGoroutinesInAccept " +
			"TestTaskComesWhileGoroutinesWait TestTaskOfAnotherLoopWaitsOutEMFILE TestTracesComeAndGo " +
			"TestUnixListenAndServe TestUnixServe TestUnixgram TestWaitsShortOfDescriptors " +
			"TestWorkElsewhereEndsWithItsCaller",
		file: "TestCopyThatWaits TestFIFOShared TestSlowReadDriverDies TestSlowReadRunEnds TestStreamReadsWhole " +
			"TestStreamWritesWhole",
	},
	{why: ownRuns,
		sock: "TestAcceptAfterTheEnd TestAcceptErrors TestAcceptPauseEnds TestAcceptWaitsOutEMFILE " +
			"TestAcceptedAheadIsClosed TestAcceptedBeforeTheEnd TestAcceptedGoesFirst TestAsNet TestBubble " +
			"TestCloseAgain TestCopies TestCopyGivesBack TestCopyGoesOnWithoutSplices TestCopyOfFileGivesBack " +
			"TestCopyStuck TestCopyToAnotherLoopHoldsNoBuffer TestDeadlineOfUnsent TestDriverDeathIsTold " +
			"TestFlushLeavesRoom TestGoroutinesShortOfDescriptors TestHandoverWhileTheLoopStops TestIPConn " +
			"TestLeasesOutliveRun TestListenMakesLoopState TestListenerStats TestLoopEndsUnderGoroutinesInAccept " +
			"TestLoopEndsWhileGoroutinesAccept TestLoopEndsWithoutLingering TestLostBytesAreNoEnd " +
			"TestMessagesOfAnotherLoop TestMoreThanIsAccepted TestNoBatching TestOneSendATurn " +
			"TestPacketBatchWithoutRoomForEmpty TestPollLeftOpen TestRawOutlivesTheLoop TestReceiveErrors " +
			"TestRunClosesWhatIsOpen TestSecondCloseWaitsToo TestSendErrors TestServeAcceptFails " +
			"TestServeInABubble TestShortageIsToldOnce TestSpliceDry TestSpliceStuck TestTryWriteErrors " +
			"TestUnixFileAtTheEnd TestUnixFileOfASet TestUnsentEndsWithGrace TestWriteVOfSlowPeerCopiesNothing",
		file: "TestKinds TestManyAtOnce TestWriterCancelStorm TestWriterCloseAsTheLoopStops TestWriterShared",
	},
	{why: noDescriptors,
		sock: "TestAdopt TestAdoptEnded TestAdoptListener TestAdoptRefuses TestHandles TestIPConnConnected " +
			"TestListenerFile TestMessagesCross TestPacketFile TestPollCallers TestPollCloseWaitsForTheThread " +
			"TestPollErrorsAsOs TestPollEventfd TestPollFull TestPollInotify TestPollOfOtherFamilies " +
			"TestPollReadWrite TestPollTimerAndProcess TestPollWait TestSendFilesMuch TestUnixRefusals",
		file: "TestAdopt TestCachedAllocs TestDeadlinesOfDirections TestReadDirAsPackageOs TestStreamWriteTurns",
	},
	{why: "it makes calls of its own on descriptors, which are none of the system's, or counts the system's calls",
		sock: "TestAdoptSetEnds TestControl TestCopiesTravelTogether TestFastOpen TestNetOptions TestOptionsAsNet " +
			"TestOptionsAtBirth TestPacketRawConn TestRecvFilesBehindCredentials TestReserveBeforeRun " +
			"TestSendFileRangeErrors TestUnixSetAgain TestUserTimeout",
		file: "TestSaturated",
	},
	{why: "its files are the system's, or package os looks at them",
		sock: "TestCopyOfConnToFile TestCopyOfFileToConn TestFilesBetweenProcesses TestHandlesUnix " +
			"TestListenWithoutName TestSendFileAllocs TestSendFileRange TestSendFilesFile TestUnixAddresses " +
			"TestUnixDialErrors TestUnixDialPermission TestUnixFile TestUnixListenErrors TestUnixLongNames",
		file: "TestAccess TestAppendToFull TestBeyondOS TestBlockDeviceIsADisk TestCached TestCancel TestChownInDir " +
			"TestChownOfNames TestChtimesFar TestCopiesLikeOS TestCopiesToItself TestCopyFS TestCopyFile " +
			"TestCopyFileClones TestCopyFromFIFOClose TestCopyShares TestDataLikeOS TestDevices TestDirFIFO " +
			"TestDirFS TestDirLikeRoot TestDirNoWayOut TestDirWordsOfRoot TestEntriesOutliveTheFile TestFIFO " +
			"TestFIFOClose TestFIFOInDir TestFIFOOpenBeside TestFailingCalls TestFailingCallsBeyondOS " +
			"TestFailingDisk TestFailingWriteback TestFullHalfway TestKindsHave TestKindsReadWhole TestLikeOS " +
			"TestLockOutlivesOthers TestLongRead TestLongWrite TestMountIsKnown TestNamesBehindFilter " +
			"TestNamesLikeOS TestOpenErrors TestOpenInRoot TestOpenReadClose TestOverlaid TestOverlaidAfterCancel " +
			"TestOverlaidGrows TestReadDirOfAFile TestReadFileAsksOnce TestRemoveAllDots " +
			"TestRemoveAllDotsLikeRoot TestSlowReadCancel TestSlowReadCancelMany TestSlowReadClose TestStatfs " +
			"TestStreamsDifferential TestVectorsInPieces TestWalk TestWriteFileAtomicSeen TestWriteInPieces " +
			"TestWriterAppends",
	},
	{why: "its server of names is package net's",
		sock: "TestDialKeepsTheResolversOrder TestDialRace TestDialRaceBound TestDialRaceTwoWinners " +
			"TestDialThatWaits TestNamesHang",
	},
	{why: "a world allocates what is to happen in it",
		sock: "TestUnixAllocs",
		file: "TestAllocs TestWriterAppendAllocs",
	},
	{why: "it is about what the kernel in memory does not have: a close that lingers, sendfile and splices, limits " +
		"of files, disks that fill, MPTCP, options of TCP",
		sock: "TestFastOpenDials TestLingerDoesNotStall TestListenOnGroup " +
			"TestMultipathTCPOfOurs TestNetZone TestPanicInControlIsNamed TestSendFileEnds TestTCPInfo",
		file: "TestCopiesByTheKernel TestDirectMisaligned TestFileSizeLimit TestFullDisk TestNoSpace TestWriterFull",
	},
	{why: "what it has opened is closed when the world is over",
		sock: "TestNoDescriptorForSocket",
		file: "TestDirectGivesWay TestDirectInPieces TestLockWaitEnds",
	},
}

// tests are the names of a package's.
func (e *excusal) tests(of string) []string {
	if of == "file" {
		return strings.Fields(e.file)
	}
	return strings.Fields(e.sock)
}

// excuse is why a test does not run in worlds; "": it does.
func excuse(of, name string) string {
	for i := range excused {
		if slices.Contains(excused[i].tests(of), name) {
			return excused[i].why
		}
	}
	return ""
}
