//go:build linux

package socktest

import (
	"slices"
	"strings"
)

// excusal names tests of behaviour that don't run in simulated worlds, and says why.
type excusal struct {
	why        string
	sock, file string // the names of the tests of package sock, and of package file
	either     bool   // they sometimes pass in worlds
}

// Reasons that the list of omitted cells does not have.
const (
	netsPeers = "its peers are package net's, and on a goroutine"
	ownRuns   = "it makes Runs of its own, by ringo.Run"
	// A world has one thread, and its watchdog ends the process if a task holds it.
	goroutinesHold = "a task waits for goroutines in Go's way, or in a system call, and holds the world"
)

// excused lists all excused tests. ExcusedFromWorlds finds those that would pass.
var excused = []excusal{
	{why: "whether its goroutine comes to a call before the end is Go's affair", either: true,
		sock: "TestBusyPeerIsFair TestDetachedEndWithTheLoop",
	},
	{why: netsPeers,
		sock: "TestActivated TestAllocsOfParkedWrites TestAllocsOfSplices TestAllocsPerRequest " +
			"TestBytesAndFINTogether TestCloseWriteInterrupted TestConnectAndVanish TestConnectionOrders " +
			"TestCrowdsLeaveNothing TestDialZone TestFileServer TestFilesFloodServed TestFullQueue " +
			"TestHandlersInheritLabels TestListenBesideAnotherProcess TestListenInUse TestPacketFlood " +
			"TestPacketWriteDeadlineMovedByOthers TestParkedStacks TestPeersThatNeverRead " +
			"TestReadDeadlineMovedByOthers TestResetBehindBytes TestStormOfOneWrite TestTLS TestTimeoutOfTheRest " +
			"TestUnixBacklogFull TestUrgentByte TestUrgentByteAtOnce",
	},
	{why: noGoroutines,
		sock: "TestCancelLosesNothing TestCloseBehindForeignCallers TestDatagramsShortOfDescriptors " +
			"TestDeadlineLosesNothing TestDeadlinePerRequestIsFree TestDeadlinesAcross TestDeferAccept " +
			"TestDrainServesWhoHasConnected TestGoroutinesAcceptTheLastComer TestGreedyPeersHoldLittle " +
			"TestHalfOpenReader TestHalfOpenWriter TestHandlesDetached TestListenerCallsFromOutside " +
			"TestLongWriteIsFair TestNetDeadlineFar TestNetDeadlineOfOneDirection TestNetHalfClose TestNetLingerZero " +
			"TestNetDialAgain TestNetResetDuringWrite TestNetSelfConnect TestNetSelfConnectAsked TestPeerCred " +
			"TestPipe TestReadMsgUnixAfterPeek " +
			"TestReadersOfAllKinds TestRecordsChangeHands TestRecordsCopy TestRecordsEmpty TestRecordsNext " +
			"TestRecordsPeek TestRecordsVector TestRecordsWrite TestRecordsWriteWaits TestResetInEachState " +
			"TestSendFile TestSendFileErrors TestSendFileOneSegment TestSlowPeersCostOthersNothing TestSpliceByTurns " +
			"TestStormOfAccepts TestTLSClientStalls TestTaskBehindTakeover TestTaskWaitsAtConn TestTinyRings " +
			"TestTryWrite TestUserTimeoutEndsWrite TestWriteDeadlineMovedByOthers TestWriteMsgUnix TestWriteV " +
			"TestZeroCopy TestZeroValuesOfNet",
		file: "TestStreamTurnEnds",
	},
	{why: goroutinesHold,
		sock: "TestAcceptedAheadIsHandedOver TestAdoptSet TestAllocsPerConnection TestAsNet TestBubble " +
			"TestCallsFromOutside TestCloseThatLingersOutlivesItsLoop TestCloseUnderGoroutinesInAccept " +
			"TestClosedBetweenPieces TestControlUnderGoroutinesInAccept TestCopyOfPipeToConn TestCrosswise " +
			"TestDetach TestDetachUDP TestDetachAndAdoptEnded TestDetachEnded TestDetachedCloseBesideAnother " +
			"TestDetachedCloseBesideOneThatLingers TestDetachedInAStorm TestDetachedThatAreClosedAreForgotten " +
			"TestDialAborted TestDialEndsWithRun TestDialWithoutSlotSaysSo TestDirectionGoesBackInOrder " +
			"TestDisturbed TestEachConnectionIsAcceptedOnce TestFile TestFileUnread TestForeignDeadlinesByAnyClock " +
			"TestFullBufferIsOneReceive TestFullOffloadHoldsUpNobody TestGoroutinesAcceptAfterTasks " +
			"TestGoroutinesAcceptWithoutTheLoop TestGoroutinesReadInTurn TestGoroutinesWaitOutEMFILE " +
			"TestHandlesInMotion TestIdleConnectionsDoNotHoldTheDrain TestListenAndServe TestListenAndServeTaskEnds " +
			"TestLoopEndsUnderWaitsShortOfDescriptors TestLoopsShare TestMoveTo TestMoveToCarries " +
			"TestMoveToCarriesLinger TestMoveToCarriesTheEnd TestMoveToCarriesZeroCopy TestNotSentLowat " +
			"TestPacketAllocs TestPacketBatchZone TestPacketGroupZone " +
			"TestPacketBatch TestPacketControl TestPacketEmpty TestPacketMulticast TestPacketReadersOfAllKinds " +
			"TestPacketSegments TestPacketSegmentsAsWrite TestPacketShared TestPacketTruncation " +
			"TestPeekedBytesOutliveCallsOfOthers " +
			"TestRawClose TestRawControlHoldsTheDescriptor TestRawErrors TestRawListener TestRawPanic " +
			"TestRawReadUnread TestRawReadWaitsOnce TestRawReadersAmongOthers TestRawWrite TestRecordsServe " +
			"TestRecvFilesAtTheLimit TestServeDrain TestServeDrainTells " +
			"TestServeEndings TestServeEndsBesideGoroutine " +
			"TestServeFramesInPieces TestServeRestsWithPartOfAFrame TestSharedAcceptGivenUp " +
			"TestSharedIsNotHoarded TestSharedListenerLeavesNoConnection TestSharedListenersClose " +
			"TestSharedListenersOfGoroutines TestSharedListenersTakeWhatTheyAskFor " +
			"TestShortageEndsUnderGoroutinesInAccept TestStormOfResets TestTaskComesWhileGoroutinesWait " +
			"TestTaskOfAnotherLoop TestTaskOfAnotherLoopWaitsOutEMFILE TestTaskWaitsAtOtherLoop TestTasksOfServers " +
			"TestTracesComeAndGo TestTryWriteErrors TestUnixgram TestWaitsShortOfDescriptors TestUnreadMovesInPlace " +
			"TestWorkElsewhereEndsWithItsCaller",
		file: "TestCopyThatWaits TestFIFOShared TestSlowReadDriverDies TestSlowReadRunEnds TestStreamReadsWhole " +
			"TestStreamWritesWhole",
	},
	{why: ownRuns,
		sock: "TestAcceptAfterTheEnd TestAcceptErrors TestAcceptGoesOnBehindPeersErrors TestAcceptPauseEnds " +
			"TestAcceptWaitsOutEMFILE TestAcceptedAheadIsClosed TestAcceptedBeforeTheEnd TestAcceptedGoesFirst " +
			"TestCopies TestCopyGivesBack TestCopyGoesOnWithoutSplices TestCopyHoldsUpNobody TestCopyLeftBehind " +
			"TestCopyOfFileGivesBack TestCopyStuck TestCopyToAnotherLoopHoldsNoBuffer TestDeadlineOfUnsent " +
			"TestDetachSendsFirst TestDriverDeathIsTold TestFlushLeavesRoom TestGoroutinesShortOfDescriptors " +
			"TestHandoverWhileTheLoopStops TestIPConn TestLeasesOutliveRun TestListenMakesLoopState " +
			"TestListenerStats TestLoopEndsUnderGoroutinesInAccept TestLoopEndsWhileGoroutinesAccept " +
			"TestLoopEndsWithoutLingering TestLostBytesAreNoEnd TestMoreThanIsAccepted TestNoBatching " +
			"TestOneSendATurn TestPacketBatchWithoutRoom TestPacketSegmentsUncut TestPollLeftOpen " +
			"TestRawOutlivesTheLoop TestReceiveErrors TestRunClosesWhatIsOpen TestSecondCloseWaitsToo TestSendErrors " +
			"TestServeAcceptFails TestServeInABubble TestServeSets TestShortageIsToldOnce TestSpliceDry " +
			"TestSpliceStuck TestSplicedCopyLeftBehind TestUnixFileAtTheEnd TestUnixFileOfASet " +
			"TestUnsentEndsWithGrace TestWriteVOfSlowPeerCopiesNothing",
		file: "TestKinds TestManyAtOnce TestWriterCancelStorm TestWriterCloseAsTheLoopStops TestWriterShared",
	},
	{why: noDescriptors,
		sock: "TestAdopt TestAdoptEnded TestAdoptListener TestAdoptPing TestAdoptRefuses TestDetachConnReaders " +
			"TestDetachedMeetTasks " +
			"TestFilesNobodyTakes TestHandles TestIPConnConnected TestListenerFile TestMessagesCross " +
			"TestPacketFile TestPollAlwaysReady TestPollCallers TestPollCloseWaitsForTheThread TestPollErrorsAsOs " +
			"TestPollEventfd TestPollFull TestPollInotify TestPollInvalid TestPollKernelFiles " +
			"TestPollOfOtherFamilies TestPollPackets TestPollReadWrite " +
			"TestPollTimerAndProcess TestPollTun TestPollWait TestPollWaitDeadlines " +
			"TestReadMsgUnix TestRecvFiles TestSendFiles TestSendFilesClosedInPart TestSendFilesMuch TestUnixRefusals",
		file: "TestAdopt TestDeadlinesOfDirections TestReadDirAsPackageOs TestStreamWriteTurns",
	},
	{why: "it makes calls of its own on descriptors, which are none of the system's, or counts the system's calls",
		sock: "TestAdoptSetEnds TestControl TestCopiesTravelTogether TestFastOpen " +
			"TestGoroutinesAcceptWithTheSameOptions TestGoroutinesHearThatAcceptsFail TestNetOptions " +
			"TestOptionsAsNet TestOptionsAtBirth TestOptionsOfTheKernel TestOptionsTakeRights " +
			"TestRecvFilesBehindCredentials TestReserveBeforeRun " +
			"TestSendFileRangeErrors TestTCPInfo TestUnixSetAgain TestUserTimeout",
		file: "TestSaturated",
	},
	{why: "its files are the system's, or package os looks at them",
		sock: "TestCopyOfConnToFile TestCopyOfFileToConn TestFilesBetweenProcesses TestHandlesUnix " +
			"TestListenWithoutName TestSendFileAllocs TestSendFileRange TestUnixDialPermission TestUnixFile " +
			"TestUnixLongNames",
		file: "TestAccess TestAppendToFull TestBeyondOS TestBlockDeviceIsADisk TestCached TestChownInDir " +
			"TestChownOfNames TestChtimesFar TestCopiesLikeOS TestCopiesToItself TestCopyFS TestCopyFile " +
			"TestCopyFileClones TestCopyFromFIFOClose TestCopyShares TestDataLikeOS TestDirFIFO TestDirFS " +
			"TestDirLikeRoot TestDirLinkLikeRoot TestDirModesOfRoot TestDirNoWayOut TestDirSorts " +
			"TestDirSwappedForALink " +
			"TestDirWordsOfRoot TestEntriesOutliveTheFile TestFIFO TestFIFOOpenBeside TestFailingCalls " +
			"TestFailingCallsBeyondOS TestFailingDisk TestFailingWriteback TestFullHalfway TestKindsReadWhole " +
			"TestLikeOS TestLockOutlivesOthers TestLongRead TestLongWrite TestMountIsKnown TestNamesBehindFilter " +
			"TestNamesLikeOS TestOpenErrors TestOpenInRoot TestOverlaid TestOverlaidAfterCancel " +
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
		sock: "TestForeignAllocations TestGoroutinesAcceptAllocations TestUnixAllocs",
		file: "TestAllocs",
	},
	{why: "it is about what the kernel in memory does not have: a close that lingers, sendfile and splices, limits " +
		"of files, disks that fill, MPTCP, options of TCP",
		sock: "TestFastOpenDials TestLingerDoesNotStall TestLingerOfOthers TestLingerOutlastsSignals " +
			"TestListenOnGroup TestLacks TestMultipathTCPOfOurs TestNetZone TestPanicInControlIsNamed",
		file: "TestCopiesByTheKernel TestDirectMisaligned TestFileSizeLimit TestFullDisk TestWriterFull",
	},
	{why: "it is about the shares of peers within a span of real time",
		sock: "TestCrowdIsServedEvenly",
	},
	{why: "what it has opened is closed when the world is over",
		sock: "TestNoDescriptorForSocket",
		file: "TestDirectGivesWay TestDirectInPieces TestLockWaitEnds",
	},
}

// tests returns the names of the tests of package of.
func (e *excusal) tests(of string) []string {
	if of == "file" {
		return strings.Fields(e.file)
	}
	return strings.Fields(e.sock)
}

// excuse returns the reason why a test does not run in worlds, or "" if it does.
func excuse(of, name string) string {
	for i := range excused {
		if slices.Contains(excused[i].tests(of), name) {
			return excused[i].why
		}
	}
	return ""
}

// pacedTests are tests of package sock whose peers are goroutines. In their worlds time passes as fast as outside.
const pacedTests = "TestPeekSizes TestReadV TestReadsAgainstModel TestWriteLeaseSlowly " +
	"TestWriteTo"

func isPaced(name string) bool { return slices.Contains(strings.Fields(pacedTests), name) }
