package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/job"
)

// kind is what somebody asks for.
type kind string

const (
	promoteKind  kind = "promote"
	pullKind     kind = "promote through a pull request"
	closedKind   kind = "promote through a pull request that is closed"
	conflictKind kind = "promote through a pull request that conflicts"
	pairKind     kind = "promote through a pull request that is displaced"
	rollbackKind kind = "rollback"
	pinKind      kind = "pin"
	brokenKind   kind = "promote what cannot start"
	mistakeKind  kind = "mistake"
	listKind     kind = "list"
	slashKind    kind = "promote by slash command"
	elseKind     kind = "slash command where ferry is not"
	withKind     kind = "promote what clusters share, with all of them"
	unpinKind    kind = "unpin"
	glassKind    kind = "promote despite approval"

	// Each of these is followed by some of those below.
	cancelledKind kind = "promote what is cancelled"
	retriedKind   kind = "promote what is retried"
	sharedKind    kind = "promote what clusters share"
	regretKind    kind = "promote what cannot start and is pressed back"
	approvedKind  kind = "promote what is approved by text"
	pressedKind   kind = "promote what is approved by button"
	voicesKind    kind = "promote what two have to approve"
	rejectedKind  kind = "promote what is rejected"
	unmindedKind  kind = "promote what needs approval and is cancelled"
	holdKind      kind = "hold what is promoted after it"
	fastKind      kind = "hold what is promoted despite it"
	tryKind       kind = "promote before what goes back"
	wearyKind     kind = "promote before what is cancelled and cannot start"
	watchedKind   kind = "promote before what falls over"
	setKind       kind = "promote a set in waves"
	freshKind     kind = "promote before a set of all apps"
	sourKind      kind = "promote before a set of all apps of which one fails"

	cancelKind  kind = "cancel"
	retryKind   kind = "retry"
	allKind     kind = "press promote all"
	backKind    kind = "press roll back"
	approveKind kind = "approve"
	pressKind   kind = "press approve"
	rejectKind  kind = "reject"
	stopKind    kind = "promote what is held"
	releaseKind kind = "release"
	freedKind   kind = "promote what was held"
	despiteKind kind = "promote despite hold"
	lostKind    kind = "promote what cannot start and goes back by itself"
	barredKind  kind = "promote what is held back"
	mendedKind  kind = "release what is held back"
	wholeKind   kind = "promote all apps in waves"
	partKind    kind = "promote all apps in waves, one of which fails"
	sweetKind   kind = "promote after a set of which one failed"
	clearedKind kind = "release what a set lost"
	wearKind    kind = "promote what cannot start and is cancelled"
	fallsKind   kind = "promote what falls over after it was healthy"
	beginKind   kind = "press confirm"
	badSetKind  kind = "promote a set that fails in its first wave"
	confirmKind kind = "confirm"
)

// The apps, by the letter that they begin with: see seed.go.
const (
	plainApps  = "a" // have a version on each cluster
	gatedApps  = "g" // one of the leads has to approve their versions
	doubleApps = "q" // two of them have to
	sharedApps = "p" // take the version of the base until they are pinned
	pinnedApps = "u" // could take the version of the base
	jointApps  = "w" // clusters share the version
	backApps   = "b" // go back by themselves
	soakApps   = "f" // are watched after they were healthy, and go back by themselves
	setApps    = "s" // are promoted in waves, and go back by themselves
)

// play is how one kind goes. To have something else tested is to add one.
type play struct {
	kind kind
	// weight is how often it is in the deck; what only follows others has none.
	weight int
	// on is where its target is, "" for either cluster; apps are which may be one, ""
	// if it has none or that of what it follows; fits leaves some out.
	on, apps string
	fits     func(v *version) bool
	// says is the command, with APP, VERSION, CLUSTER, JOB and NUMBER filled in; button
	// how the button begins that is pressed instead.
	says, button string
	// by is who says it, ada unless told.
	by string
	// ends are how its job may end; without one it is answered and no more.
	ends []string
	// tells is what the answer has to say, of what has no job; a button without it is
	// answered by the message that has it.
	tells string
	// deed is what the audit trail has once of what is done at once; quiet: it is said in
	// a channel of its own, to which a receiver leads; perhaps: the button may not be there.
	deed           job.Deed
	quiet, perhaps bool
	// bad: the version cannot start. alone: nothing else may be going on.
	bad, alone bool
	// questions is how many of them for approval there may be.
	questions int
	// then are asked for after it, one after the other; waits is what has to stand in
	// the thread that it is about before this one is asked: the kind of a message, and
	// what it has to say. "answer" is the last word on the one before.
	then        []kind
	waits, sees string
}

// work reports whether a job comes of it.
func (p *play) work() bool { return len(p.ends) > 0 }

const (
	promotes = "promote APP@VERSION to CLUSTER"
	sets     = "promote APP@VERSION to " + waves
	all      = "promote all from " + direct + " to " + waves
	releases = "release APP on CLUSTER because number NUMBER was not to blame"
)

// plays are all that is asked for.
func plays() []play {
	done := []string{"done"}
	late := []string{"done", "cancelled"} // whichever is first
	good := func(v *version) bool { return v.good() && !v.doubted }
	back := []string{"rolled back"}
	return append([]play{
		{kind: promoteKind, weight: 3, on: direct, apps: plainApps, says: promotes, ends: done},
		{kind: pullKind, weight: 2, on: proposed, apps: plainApps, says: promotes, ends: done},
		{kind: closedKind, weight: 1, on: proposed, apps: plainApps, says: promotes, ends: []string{"refused"}},
		{kind: conflictKind, weight: 1, on: proposed, apps: plainApps, says: promotes, ends: done},
		{kind: pairKind, weight: 1, on: proposed, apps: plainApps, says: promotes, ends: []string{"done", "superseded"}},
		{
			kind: rollbackKind, weight: 2, on: direct, apps: "*", says: "rollback APP on CLUSTER", ends: done,
			fits: func(v *version) bool { return v.before != "" },
		},
		{kind: pinKind, weight: 1, on: direct, apps: sharedApps, says: promotes + " pin", ends: done, fits: func(v *version) bool { return v.now == "" }},
		{kind: brokenKind, weight: 1, on: direct, apps: plainApps, says: promotes, ends: []string{"failed"}},
		{kind: mistakeKind, tells: "nosuch", weight: 1, says: "promote nosuch@1.0.0 to " + direct},
		{kind: listKind, weight: 1, says: "list"},
		{kind: slashKind, weight: 1, on: direct, apps: plainApps, says: promotes, ends: done},
		{kind: elseKind, weight: 2, says: "list"},
		{kind: withKind, weight: 1, on: direct, apps: jointApps, says: promotes + " with " + proposed, ends: done},
		{kind: unpinKind, weight: 1, apps: pinnedApps, says: "unpin APP on CLUSTER", ends: done, fits: func(v *version) bool { return !v.unpinned }},
		{kind: cancelledKind, weight: 2, apps: plainApps, says: promotes, ends: late, then: []kind{cancelKind}},
		{kind: retriedKind, weight: 1, on: proposed, apps: plainApps, says: promotes, ends: []string{"refused"}, then: []kind{retryKind}},
		{kind: sharedKind, weight: 1, on: direct, apps: jointApps, says: promotes, ends: []string{"refused"}, then: []kind{allKind}},
		{kind: regretKind, weight: 1, on: direct, apps: plainApps, says: promotes, ends: []string{"failed"}, then: []kind{backKind}, fits: good},

		{kind: cancelKind, says: "cancel JOB", waits: "status"},
		{kind: retryKind, says: "retry JOB", ends: done, waits: "closing"},
		{kind: allKind, button: "Promote all 2", ends: done, waits: "closing"},
		{kind: backKind, button: "Roll back to VERSION", ends: done, waits: "closing"},

		// Gates with people.
		{kind: glassKind, weight: 1, apps: gatedApps, says: promotes + " despite approval because number NUMBER is urgent", ends: done},
		{kind: approvedKind, weight: 1, apps: gatedApps, says: promotes, ends: done, questions: 1, then: []kind{approveKind}},
		{kind: pressedKind, weight: 2, apps: gatedApps, says: promotes, ends: done, questions: 1, then: []kind{pressKind}},
		{kind: voicesKind, weight: 1, apps: doubleApps, says: promotes, ends: done, questions: 2, then: []kind{pressKind, approveKind}},
		{kind: rejectedKind, weight: 1, apps: gatedApps, says: promotes, ends: []string{"refused"}, questions: 1, then: []kind{rejectKind}},
		{kind: unmindedKind, weight: 1, apps: gatedApps, says: promotes, ends: []string{"cancelled"}, questions: 1, then: []kind{cancelKind}},
		{kind: holdKind, weight: 1, on: direct, apps: plainApps, says: "hold APP on CLUSTER because of number NUMBER", tells: "is held on", then: []kind{stopKind, releaseKind, freedKind}},
		{kind: fastKind, weight: 1, on: direct, apps: plainApps, says: "hold APP on CLUSTER because of number NUMBER", tells: "is held on", then: []kind{despiteKind, releaseKind}},
		{kind: approveKind, tells: "is approved by you", says: "approve JOB", by: leadToo, waits: "approval"},
		{kind: pressKind, tells: "is approved by you", button: "Approve", by: lead, waits: "approval"},
		{kind: rejectKind, tells: "is rejected by you", says: "reject JOB because number NUMBER is not ready", by: lead, waits: "approval"},
		{kind: stopKind, tells: "is held", says: promotes, waits: "answer"},
		{kind: releaseKind, says: "release APP on CLUSTER", waits: "answer"},
		{kind: freedKind, says: promotes, ends: done, waits: "answer"},

		// What ferry does by itself.
		{kind: tryKind, weight: 1, on: direct, apps: backApps, says: promotes, ends: done, then: []kind{lostKind, barredKind, mendedKind}},
		{kind: lostKind, says: promotes, bad: true, ends: back, waits: "answer"},
		{kind: barredKind, tells: "which is held back", says: promotes, waits: "answer"},
		{kind: mendedKind, says: releases, waits: "answer"},
		{kind: wearyKind, weight: 1, on: direct, apps: backApps, says: promotes, ends: done, then: []kind{wearKind, cancelKind}},
		{kind: wearKind, says: promotes, bad: true, ends: append(back, "cancelled"), waits: "answer"},
		{kind: watchedKind, weight: 1, on: direct, apps: soakApps, says: promotes, ends: done, then: []kind{fallsKind}},
		{kind: fallsKind, says: promotes, ends: back, waits: "answer"},

		// Sets.
		{kind: setKind, weight: 1, on: canary, apps: setApps, says: sets, ends: done, then: []kind{beginKind, badSetKind, confirmKind, clearedKind}},
		{kind: beginKind, button: "Promote 2", waits: "status"},
		{kind: badSetKind, says: sets, bad: true, ends: back, waits: "closing"},
		{kind: freshKind, weight: 1, alone: true, on: direct, apps: setApps, says: promotes, ends: done, then: []kind{wholeKind, confirmKind}},
		{kind: wholeKind, says: all, ends: done, waits: "closing"},
		{kind: sourKind, weight: 1, alone: true, on: direct, apps: setApps, says: promotes, ends: done, then: []kind{partKind, confirmKind, clearedKind, sweetKind}},
		{kind: partKind, says: all, ends: []string{"rolled back", "failed"}, waits: "closing"},
		{kind: sweetKind, says: promotes, ends: done, waits: "answer"},
		{kind: confirmKind, tells: "is confirmed by you", says: "confirm JOB", waits: "status", sees: "begins it"},
		{kind: clearedKind, says: releases, waits: "closing", sees: "goes back to"},
		{kind: despiteKind, says: promotes + " despite hold because number NUMBER is urgent", ends: done, waits: "answer"},
	}, deeds()...)
}

// playOf finds the one of a kind; checkPlays sees to it that there is one.
func playOf(k kind) (found play) {
	for _, p := range plays() {
		if p.kind == k {
			found = p
		}
	}
	return found
}

// checkPlays is an error if the table does not hold together.
func checkPlays(all []play) error {
	known, errs := map[kind]int{}, []error(nil)
	for _, p := range all {
		if known[p.kind]++; known[p.kind] == 2 {
			errs = append(errs, fmt.Errorf("the table of plays has %q twice", p.kind))
		}
		if (p.says == "") == (p.button == "") {
			errs = append(errs, fmt.Errorf("play %q has neither words nor a button, or both", p.kind))
		}
	}
	for _, p := range all {
		for _, k := range p.then {
			if i := slices.IndexFunc(all, func(next play) bool { return next.kind == k }); i < 0 {
				errs = append(errs, fmt.Errorf("%q is followed by %q, which the table of plays does not have", p.kind, k))
			} else if all[i].waits == "" {
				errs = append(errs, fmt.Errorf("%q follows %q and does not say what it waits for", k, p.kind))
			}
		}
	}
	return errors.Join(errs...)
}

// has reports whether an app is among those of a play.
func (p *play) has(app string) bool {
	return p.apps == "*" && !strings.ContainsAny(app[:1], jointApps+gatedApps+doubleApps+backApps+soakApps+setApps) ||
		p.apps != "" && strings.HasPrefix(app, p.apps)
}
