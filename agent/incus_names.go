package agent

// imageNames remembers by what name people know an image. A name is kept when its alias goes: Incus deletes
// an image's aliases just before the image. Bounded: beyond the limit nothing new is learnt.
type imageNames struct {
	names map[string]string // fingerprint -> newest alias
}

const maxImageNames = 4096

func (n *imageNames) set(fingerprint, alias string) {
	if fingerprint == "" || alias == "" {
		return
	}
	if _, known := n.names[fingerprint]; known || len(n.names) < maxImageNames {
		n.names[fingerprint] = alias
	}
}

func (n *imageNames) rename(from, to string) {
	for fp, alias := range n.names {
		if alias == from {
			n.names[fp] = to
		}
	}
}

// name is the alias of an image, else the start of its fingerprint.
func (n *imageNames) name(fingerprint string) string {
	if alias := n.names[fingerprint]; alias != "" {
		return alias
	}
	return shortFingerprint(fingerprint)
}

func (n *imageNames) forget(fingerprint string) { delete(n.names, fingerprint) }
