package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// identity is the certificate of an API server, which is its own authority.
// There must be one: over plain HTTP, clients send no token.
type identity struct {
	certificate tls.Certificate
	authority   []byte // PEM
}

func newIdentity(name string) (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, fmt.Errorf("generate the key of cluster %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return identity{}, fmt.Errorf("sign the certificate of cluster %s: %w", name, err)
	}
	return identity{
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		authority:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

func (i identity) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{i.certificate}, MinVersion: tls.VersionTLS12}
}

// Kubeconfig is a kubeconfig whose context is called like the cluster, for a
// user who may do everything.
func (c *Cluster) Kubeconfig() string { return c.KubeconfigAs(c.options.Name, "admin") }

// KubeconfigAs is a kubeconfig with a context of that name for one of the users.
// Nobody of that name is somebody the API server does not know.
func (c *Cluster) KubeconfigAs(context, user string) string {
	config := api.NewConfig()
	config.Clusters[context] = &api.Cluster{Server: c.URL(), CertificateAuthorityData: c.identity.authority}
	config.AuthInfos[user] = &api.AuthInfo{Token: "unknown"}
	for _, u := range c.users {
		if u.Name == user {
			config.AuthInfos[user].Token = u.Token
		}
	}
	config.Contexts[context] = &api.Context{Cluster: context, AuthInfo: user}
	config.CurrentContext = context
	raw, err := clientcmd.Write(*config)
	if err != nil {
		return "" // a config made of strings always encodes
	}
	return string(raw)
}
