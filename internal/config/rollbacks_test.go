package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRollbacks(t *testing.T) {
	c, err := Load(write(t, small+`
rollbacks:
- {name: stages, clusters: ["stage*"], apps: [pod*], on_failure: auto, soak: 10m, automation: suspend}
- {name: rest, clusters: ["*"]}
`), tokens, changing...)
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Rollbacks; r[0].OnFailure != "auto" || r[0].Soak != 10*time.Minute || r[0].Automation != AutomationSuspend || r[1].OnFailure != "offer" || r[1].Soak != 0 || r[1].Automation != AutomationWarn {
		t.Errorf("%+v", r)
	}
}

func TestMistakesInRollbacks(t *testing.T) {
	for fields, want := range map[string]string{
		`name: a, clusters: [prod], on_failure: always`:                               `5: rollbacks[0].on_failure: "always" is unknown; write auto, offer or off`,
		`name: a, clusters: [prod], automation: stop`:                                 `5: rollbacks[0].automation: "stop" is unknown; write suspend or warn`,
		`name: a, clusters: [prd]`:                                                    `5: rollbacks[0].clusters[0]: no cluster is called "prd"; did you mean "prod"?`,
		`clusters: [prod]`:                                                            `5: rollbacks[0].name is missing; write name: stages`,
		`name: a, clusters: [prod], apps: ["["]`:                                      `5: rollbacks[0].apps[0]: "[" is no pattern`,
		`name: a, clusters: [prod], soak: 10`:                                         `5: rollbacks[0].soak: "10" is not a duration`,
		`name: a, clusters: [prod], soaks: 10m`:                                       `5: unknown key "soaks" in rollbacks[0]; did you mean "soak"?`,
		"name: a, clusters: [prod], on_failure: auto}\n- {name: a, clusters: [\"*\"]": `6: rollbacks[1].name: "a" is the name of rollbacks[0] too; give each a name of its own`,
	} {
		_, err := Load(write(t, small+"rollbacks:\n- {"+fields+"}\n"), tokens, changing...)
		if _, ok := errors.AsType[Problems](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", fields, err, want)
		}
	}
}
