package testbed

import (
	"fmt"
	"path/filepath"
)

// fluxNamespace is where the controllers' own objects live.
const fluxNamespace = "flux-system"

func (c *Cluster) etcd() (command, error) {
	client, err := c.ports.take()
	if err != nil {
		return command{}, err
	}
	peer, err := c.ports.take()
	if err != nil {
		return command{}, err
	}
	c.store = "http://" + addr(client)
	self := "http://" + addr(peer)
	return command{
		name: "etcd", ports: []int{client, peer}, ready: c.store + "/health",
		args: []string{
			"--data-dir=" + filepath.Join(c.dir, "etcd"),
			"--unsafe-no-fsync",
			"--listen-client-urls=" + c.store, "--advertise-client-urls=" + c.store,
			"--listen-peer-urls=" + self, "--initial-advertise-peer-urls=" + self,
			"--initial-cluster=default=" + self,
		},
	}, nil
}

// apiserver is the same command each time it is asked for: Up starts on the port that Down left.
func (c *Cluster) apiserver() command {
	file := func(name string) string { return filepath.Join(c.dir, name) }
	return command{
		name: "kube-apiserver", ports: []int{c.port}, ready: c.URL() + "/readyz",
		args: []string{
			"--etcd-servers=" + c.store,
			"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.port),
			"--endpoint-reconciler-type=none",
			"--tls-cert-file=" + file("serving.crt"), "--tls-private-key-file=" + file("serving.key"),
			"--token-auth-file=" + file("tokens.csv"),
			"--authorization-mode=RBAC",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + file("accounts.key"), "--service-account-signing-key-file=" + file("accounts.key"),
			"--service-cluster-ip-range=10.0.0.0/24",
			// Nobody hands out service-account tokens here, and pods need none.
			"--disable-admission-plugins=ServiceAccount",
			"--profiling=false",
		},
	}
}

func (c *Cluster) controllerManager() (command, error) {
	port, err := c.ports.take()
	if err != nil {
		return command{}, err
	}
	return command{
		name: "kube-controller-manager", ports: []int{port},
		args: []string{
			"--kubeconfig=" + c.kubeconfig, "--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir=" + filepath.Join(c.dir, "kcm"),
			"--controllers=deployment-controller,replicaset-controller,namespace-controller,serviceaccount-controller,garbage-collector-controller",
			"--kube-api-qps=500", "--kube-api-burst=1000", "--profiling=false",
		},
	}, nil
}

func (c *Cluster) kwok() command {
	return command{
		name: "kwok",
		args: []string{
			"--kubeconfig=" + c.kubeconfig, "--config=" + filepath.Join(c.dir, "stages.yaml"),
			"--manage-all-nodes=true",
		},
	}
}

// fluxController is what the three have in common.
func (c *Cluster) fluxController(name string, more ...string) (command, error) {
	health, err := c.ports.take()
	if err != nil {
		return command{}, err
	}
	return command{
		name: name, ports: []int{health}, ready: "http://" + addr(health) + "/healthz",
		env: []string{"KUBECONFIG=" + c.kubeconfig, "RUNTIME_NAMESPACE=" + fluxNamespace},
		args: append([]string{
			"--enable-leader-election=false", "--watch-all-namespaces", "--log-encoding=json",
			"--metrics-addr=0", "--health-addr=" + addr(health),
			"--kube-api-qps=500", "--kube-api-burst=1000", "--requeue-dependency=1s",
		}, more...),
	}, nil
}

func (c *Cluster) sourceController() (command, error) {
	files, err := c.ports.take()
	if err != nil {
		return command{}, err
	}
	command, err := c.fluxController("source-controller",
		"--storage-path="+filepath.Join(c.dir, "artifacts"),
		"--storage-addr="+addr(files), "--storage-adv-addr="+addr(files))
	command.ports = append(command.ports, files)
	return command, err
}
