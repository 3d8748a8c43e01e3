package charts

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRegistryHoldsWhatHelmPushes reads a chart back as source-controller does:
// the manifest by its tag, then the layer of the chart's type.
func TestRegistryHoldsWhatHelmPushes(t *testing.T) {
	handler, err := Registry(Podinfo())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	for _, version := range []string{"6.5.3", "6.5.4", "6.5.5"} {
		var manifest struct {
			Config, Layers json.RawMessage
		}
		if err := json.Unmarshal(get(t, server.URL+"/v2/charts/podinfo/manifests/"+version), &manifest); err != nil {
			t.Fatal(err)
		}
		var layers []struct{ MediaType, Digest string }
		if err := json.Unmarshal(manifest.Layers, &layers); err != nil || len(layers) != 1 || layers[0].MediaType != chartType {
			t.Fatalf("the layers of %s are %s, %v", version, manifest.Layers, err)
		}
		files := unpack(t, get(t, server.URL+"/v2/charts/podinfo/blobs/"+layers[0].Digest))
		if !strings.Contains(files["podinfo/Chart.yaml"], "version: "+version+"\n") {
			t.Errorf("%s holds %s", version, files["podinfo/Chart.yaml"])
		}
		if !strings.Contains(string(manifest.Config), configType) {
			t.Errorf("the configuration of %s is %s", version, manifest.Config)
		}
	}
}
