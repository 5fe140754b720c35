/* SPDX-License-Identifier: BSD-3-Clause */
#include "machines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NIC 0x020000 /* PCI classes */
#define IB 0x020700
#define VGA 0x030000
#define GPU 0x030200
#define BRIDGE 0x060400

#define CISCO 0x1137
#define INTEL 0x8086
#define MELLANOX 0x15b3
#define BROADCOM 0x14e4
#define NVIDIA 0x10de
#define VIRTIO 0x1af4

/* A function without VFs. */
static void function(const struct tree *t, const char *dev, unsigned class, unsigned vendor,
		     unsigned device, int numa, const char *cpus, const char *driver)
{
	struct tree_pci p = { dev, class, vendor, device, numa, cpus, driver, -1, 0, 0 };

	tree_pci(t, &p);
}

struct card {
	const char *above; /* dev of the bridge */
	unsigned bus;
	unsigned class, vendor, pf_id, vf_id;
	int numa;
	const char *cpus;
	const char *driver, *vf_driver;
	unsigned total, num;
};

/* The dev of function n of a card; 8 functions a device, as with ARI. */
static const char *card_dev(const struct card *c, unsigned n)
{
	static char dev[4][256];
	static unsigned turn;
	char *d = dev[turn++ % 4];

	snprintf(d, sizeof(dev[0]), "%s/0000:%02x:%02x.%u", c->above, c->bus, n / 8, n % 8);
	return d;
}

static void card(const struct tree *t, const struct card *c)
{
	struct tree_pci p = { card_dev(c, 0), c->class,	 c->vendor, c->pf_id, c->numa,
			      c->cpus,	      c->driver, -1,	    c->total, c->num };

	tree_pci(t, &p);
	for (unsigned n = 1; n <= c->num; n++) {
		function(t, card_dev(c, n), c->class, c->vendor, c->vf_id, c->numa, c->cpus,
			 c->vf_driver);
		tree_vf(t, card_dev(c, 0), card_dev(c, n), n - 1);
	}
}

static void two_packages(const struct tree *t, unsigned ncpus)
{
	char cpus[64];

	snprintf(cpus, sizeof(cpus), "0-%u", ncpus - 1);
	tree_cpus(t, ncpus, ncpus / 2, cpus);
	snprintf(cpus, sizeof(cpus), "0-%u", ncpus / 2 - 1);
	tree_node(t, 0, cpus, "10 21");
	snprintf(cpus, sizeof(cpus), "%u-%u", ncpus / 2, ncpus - 1);
	tree_node(t, 1, cpus, "21 10");
}

/* ---- real ones ---- */

static void c240(const struct tree *t)
{
	two_packages(t, 16);
	for (unsigned i = 0; i < 4; i++) {
		struct card c = { i < 2 ? "pci0000:00/0000:00:03.0" : "pci0000:80/0000:80:03.0",
				  6 + i,
				  NIC,
				  CISCO,
				  0x43,
				  0xcf,
				  i < 2 ? 0 : 1,
				  i < 2 ? "0-7" : "8-15",
				  "enic",
				  "usnic_verbs",
				  64,
				  64 };
		char ib[16], net[16];

		snprintf(ib, sizeof(ib), "usnic_%u", i);
		snprintf(net, sizeof(net), "enp%us0f0", 6 + i);
		card(t, &c);
		tree_net(t, card_dev(&c, 0), net, "1");
		tree_ib(t, card_dev(&c, 0), ib, "4: ACTIVE", NULL, (int)i);
		tree_usnic(t, ib, net, 64);
	}
	/* a process with two queue pairs on one VF, and another one */
	tree_usnic_qp(t, "usnic_1", 4, 3);
	tree_usnic_qp(t, "usnic_1", 5, 3);
	tree_usnic_qp(t, "usnic_1", 9, 17);
	/* the host's own network */
	function(t, "pci0000:00/0000:00:01.0/0000:02:00.0", NIC, INTEL, 0x1521, 0, "0-7", "igb");
	tree_net(t, "pci0000:00/0000:00:01.0/0000:02:00.0", "eno1", "1");
	tree_net(t, "virtual", "lo", "1");
}

/* Two CPUs in two NUMA nodes, two usNICs with three VFs each at either: what any test host can bind tasks to. */
static void two_cpus(const struct tree *t)
{
	two_packages(t, 2);
	for (unsigned i = 0; i < 4; i++) {
		struct card c = { i < 2 ? "pci0000:00/0000:00:03.0" : "pci0000:80/0000:80:03.0",
				  6 + i,
				  NIC,
				  CISCO,
				  0x43,
				  0xcf,
				  i < 2 ? 0 : 1,
				  i < 2 ? "0" : "1",
				  "enic",
				  "usnic_verbs",
				  3,
				  3 };
		char ib[16], net[16];

		snprintf(ib, sizeof(ib), "usnic_%u", i);
		snprintf(net, sizeof(net), "enp%us0f0", 6 + i);
		card(t, &c);
		tree_net(t, card_dev(&c, 0), net, "1");
		tree_ib(t, card_dev(&c, 0), ib, "4: ACTIVE", NULL, (int)i);
		tree_usnic(t, ib, net, 3);
	}
}

static void many_vfs(const struct tree *t)
{
	static const char *const above[3] = {
		"pci0000:00/0000:00:03.0/0000:06:00.0/0000:07:01.0/0000:09:00.0/0000:0a:00.0",
		"pci0000:00/0000:00:03.0/0000:06:00.0/0000:07:01.0/0000:09:00.0/0000:0a:01.0",
		"pci0000:80/0000:80:03.0/0000:83:00.0/0000:84:01.0/0000:86:00.0/0000:87:00.0",
	};
	static const unsigned bus[3] = { 0x0b, 0x0c, 0x88 }, vfs[3] = { 3, 4, 5 };

	tree_cpus(t, 16, 8, "0-15");
	tree_node(t, 0, "0-7", "10 20");
	tree_node(t, 1, "8-15", "20 10");
	for (unsigned i = 0; i < 3; i++) {
		struct card c = { above[i], bus[i],	   NIC,	   CISCO,
				  0x43,	    0xcf,	   i == 2, i == 2 ? "8-15" : "0-7",
				  "enic",   "usnic_verbs", vfs[i], vfs[i] };
		char ib[16], net[16];

		snprintf(ib, sizeof(ib), "usnic_%u", i);
		snprintf(net, sizeof(net), "eth%u", 4 + i);
		card(t, &c);
		tree_net(t, card_dev(&c, 0), net, "1");
		tree_ib(t, card_dev(&c, 0), ib, "4: ACTIVE", NULL, (int)i);
		tree_usnic(t, ib, net, vfs[i]);
	}
	/* the odd vendor of two VFs there */
	tree_file(t, "0x1138", "bus/pci/devices/0000:0c:00.2/vendor");
	tree_file(t, "0x1138", "bus/pci/devices/0000:0c:00.3/vendor");
	function(t, "pci0000:00/0000:00:01.1/0000:02:00.0", NIC, INTEL, 0x1521, 0, "0-7", "igb");
	tree_net(t, "pci0000:00/0000:00:01.1/0000:02:00.0", "eth0", "1");
}

static void eight_rail(const struct tree *t)
{
	two_packages(t, 64);
	for (unsigned i = 0; i < 8; i++) {
		int numa = i < 4 ? 0 : 1;
		const char *cpus = numa ? "32-63" : "0-31";
		unsigned bus = 0x10 * (i + 1);
		char sw[256], dev[512], ib[16];

		snprintf(sw, sizeof(sw), "pci0000:%02x/0000:%02x:01.0/0000:%02x:00.0", bus, bus,
			 bus + 1);
		function(t, sw, BRIDGE, 0x1000, 0xc030, numa, cpus, "pcieport");
		snprintf(dev, sizeof(dev), "%s/0000:%02x:01.0/0000:%02x:00.0", sw, bus + 2,
			 bus + 3);
		function(t, dev, GPU, NVIDIA, 0x2330, numa, cpus, "nvidia");
		snprintf(dev, sizeof(dev), "%s/0000:%02x:02.0/0000:%02x:00.0", sw, bus + 2,
			 bus + 4);
		function(t, dev, IB, MELLANOX, 0x1021, numa, cpus, "mlx5_core");
		/* the driver numbers the far package's first */
		snprintf(ib, sizeof(ib), "mlx5_%u", (i + 4) % 8);
		tree_ib(t, dev, ib, i == 7 ? "1: DOWN" : "4: ACTIVE", NULL, (int)((i + 4) % 8));
		snprintf(ib, sizeof(ib), "ib%u", (i + 4) % 8);
		tree_net(t, dev, ib, "1");
	}
}

static void single(const struct tree *t)
{
	struct card c = { "pci0000:40/0000:40:01.1",
			  0x41,
			  NIC,
			  BROADCOM,
			  0x1750,
			  0x1806,
			  0,
			  "0-15",
			  "bnxt_en",
			  "bnxt_en",
			  128,
			  4 };
	char ib[16], net[16];

	tree_cpus(t, 16, 16, "0-15");
	tree_node(t, 0, "0-15", "10");
	card(t, &c);
	for (unsigned n = 0; n <= 4; n++) {
		snprintf(ib, sizeof(ib), "bnxt_re%u", n);
		snprintf(net, sizeof(net), n ? "enp65s0f0v%u" : "enp65s0f0np0", n - 1);
		tree_net(t, card_dev(&c, n), net, "1");
		tree_ib(t, card_dev(&c, n), ib, "4: ACTIVE", net, (int)n);
	}
}

static void laptop(const struct tree *t)
{
	tree_cpus(t, 8, 8, "0-7");
	tree_node(t, 0, "0-7", "10");
	function(t, "pci0000:00/0000:00:02.0", VGA, INTEL, 0x9a49, -1, "0-7", "i915");
	function(t, "pci0000:00/0000:00:1f.6", NIC, INTEL, 0x15fb, -1, "0-7", "e1000e");
	tree_net(t, "pci0000:00/0000:00:1f.6", "enp0s31f6", "0");
	function(t, "pci0000:00/0000:00:14.3", 0x028000, INTEL, 0xa0f0, -1, "0-7", "iwlwifi");
	tree_net(t, "pci0000:00/0000:00:14.3", "wlp0s20f3", "1");
	tree_net(t, "virtual", "lo", "1");
}

/* ---- kinds of devices ---- */

/* A PF with six VFs: two with netdevs, two in VFIO's hands, two without a driver; and more. */
static void kinds(const struct tree *t)
{
	struct card plain = { "pci0000:00/0000:00:01.0",
			      0x01,
			      NIC,
			      INTEL,
			      0x10c9,
			      0x10ca,
			      0,
			      "0-3",
			      "igb",
			      NULL,
			      7,
			      6 };
	struct card quiet = { "pci0000:00/0000:00:02.0",
			      0x02,
			      NIC,
			      INTEL,
			      0x10c9,
			      0x10ca,
			      0,
			      "0-3",
			      "igb",
			      NULL,
			      7,
			      0 };
	struct card virt = { "pci0000:00/0000:00:03.0",
			     0x03,
			     NIC,
			     VIRTIO,
			     0x1041,
			     0x1041,
			     0,
			     "0-3",
			     "virtio-pci",
			     "virtio-pci",
			     2,
			     2 };
	struct card sw = { "pci0000:00/0000:00:04.0",
			   0x04,
			   NIC,
			   MELLANOX,
			   0x1019,
			   0x101a,
			   0,
			   "0-3",
			   "mlx5_core",
			   "mlx5_core",
			   8,
			   2 };
	char dev[256];

	tree_cpus(t, 8, 4, "0-7");
	tree_node(t, 0, "0-3", "10 20");
	tree_node(t, 1, "4-7", "20 10");

	card(t, &plain);
	tree_net(t, card_dev(&plain, 0), "eth2", "1");
	for (unsigned n = 1; n <= 2; n++) {
		struct tree_pci p = {
			card_dev(&plain, n), NIC, INTEL, 0x10ca, 0, "0-3", "igbvf", -1, 0, 0
		};

		tree_pci(t, &p);
		tree_net(t, p.dev, n == 1 ? "eth10" : "eth9", n == 1 ? "0" : NULL);
	}
	for (unsigned n = 3; n <= 4; n++) {
		struct tree_pci p = { card_dev(&plain, n),
				      NIC,
				      INTEL,
				      0x10ca,
				      0,
				      "0-3",
				      n == 3 ? "vfio-pci" : "mlx5_vfio_pci",
				      40 + (int)n,
				      0,
				      0 };

		tree_pci(t, &p);
	}
	card(t, &quiet);
	tree_net(t, card_dev(&quiet, 0), "eth3", "1");

	/* virtio: the netdev is a grandchild; soft-RoCE on a VF, without a PCI parent */
	card(t, &virt);
	for (unsigned n = 0; n <= 2; n++) {
		snprintf(dev, sizeof(dev), "%s/virtio%u", card_dev(&virt, n), n + 5);
		snprintf(dev + 200, sizeof(dev) - 200, "vt%u", n);
		tree_net(t, dev, dev + 200, "1");
	}
	tree_ib(t, "virtual", "rxe0", "4: ACTIVE", "vt1", 0);
	tree_ib(t, "virtual", "rxe1", "4: ACTIVE", "vt2", 1);

	/* switchdev mode: the PF has representors of its VFs beside its own netdev */
	card(t, &sw);
	tree_net(t, card_dev(&sw, 0), "aaa0", "1");
	tree_net(t, card_dev(&sw, 0), "aaa1", "1");
	tree_net(t, card_dev(&sw, 0), "zzz", "1");
	tree_file(t, "pf0vf0", "class/net/aaa0/phys_port_name");
	tree_file(t, "pf0vf1", "class/net/aaa1/phys_port_name");
	tree_file(t, "p0", "class/net/zzz/phys_port_name");
	for (unsigned n = 0; n <= 2; n++) {
		char ib[16], net[16];

		snprintf(ib, sizeof(ib), "mlx5_%u", n);
		snprintf(net, sizeof(net), "vf%u", n);
		if (n)
			tree_net(t, card_dev(&sw, n), net, "1");
		tree_ib(t, card_dev(&sw, n), ib, n == 2 ? "2: INIT" : "4: ACTIVE", NULL,
			2 + (int)n);
	}

	/* soft-RoCE on what has no PCI function, and a NIC without SR-IOV that VFIO has */
	tree_net(t, "virtual", "br0", "1");
	tree_ib(t, "virtual", "rxe_br", "4: ACTIVE", NULL, 5);
	tree_file(t, "br0", "class/infiniband/rxe_br/parent");
	function(t, "pci0000:00/0000:00:05.0", NIC, INTEL, 0x1572, 1, "4-7", "vfio-pci");
	tree_file(t, "vfio-noiommu", "kernel/iommu_groups/0/name");
	tree_link(t, "../../../kernel/iommu_groups/0",
		  "devices/pci0000:00/0000:00:05.0/iommu_group");
	/* a GPU with SR-IOV is no NIC */
	{
		struct tree_pci p = { "pci0000:00/0000:00:06.0",
				      GPU,
				      NVIDIA,
				      0x2330,
				      1,
				      "4-7",
				      "nvidia",
				      -1,
				      16,
				      0 };

		tree_pci(t, &p);
	}
}

/* ---- odd places ---- */

static void plain_nic(const struct tree *t, const char *addr, const char *ib, int numa,
		      const char *cpus)
{
	char dev[64];

	snprintf(dev, sizeof(dev), "pci0000:00/%s", addr);
	function(t, dev, NIC, MELLANOX, 0x1017, numa, cpus, "mlx5_core");
	tree_ib(t, dev, ib, "4: ACTIVE", NULL, -1);
}

static void cpuless(const struct tree *t)
{
	tree_cpus(t, 8, 4, "0-7");
	tree_node(t, 0, "0-3", "10 20 13 23");
	tree_node(t, 1, "4-7", "20 10 23 13");
	tree_node(t, 2, "", "13 23 10 28");
	tree_node(t, 3, "", "23 13 28 10");
	plain_nic(t, "0000:00:01.0", "mlx5_0", 0, "0-3");
	plain_nic(t, "0000:00:02.0", "mlx5_1", 3, "");
}

static void no_node(const struct tree *t)
{
	two_packages(t, 8);
	plain_nic(t, "0000:00:01.0", "mlx5_0", -1, "0-7");
	plain_nic(t, "0000:00:02.0", "mlx5_1", 1, "4-7");
	plain_nic(t, "0000:00:03.0", "mlx5_2", 7, "0-7");
}

static void one_node_unknown(const struct tree *t)
{
	tree_cpus(t, 4, 4, "0-3");
	tree_node(t, 0, "0-3", "10");
	plain_nic(t, "0000:00:01.0", "mlx5_0", -1, "0-3");
}

static void snc(const struct tree *t)
{
	tree_cpus(t, 16, 8, "0-15");
	tree_node(t, 0, "0-3", "10 11 21 21");
	tree_node(t, 1, "4-7", "11 10 21 21");
	tree_node(t, 2, "8-11", "21 21 10 11");
	tree_node(t, 3, "12-15", "21 21 11 10");
	plain_nic(t, "0000:00:01.0", "mlx5_0", 1, "4-7");
	/* firmware that tells of the package alone */
	plain_nic(t, "0000:00:02.0", "mlx5_1", -1, "8-15");
}

static void asymmetric(const struct tree *t)
{
	tree_cpus(t, 16, 12, "0-15");
	tree_node(t, 0, "0-7", "10 16 32");
	tree_node(t, 1, "8-11", "16 10 28");
	tree_node(t, 2, "12-15", "32 28 10");
	plain_nic(t, "0000:00:01.0", "mlx5_0", 2, "12-15");
}

static void offline(const struct tree *t)
{
	tree_cpus(t, 8, 4, "0-2,4,6-7");
	tree_node(t, 0, "0-2", "10 21");
	tree_node(t, 1, "4,6-7", "21 10");
	plain_nic(t, "0000:00:01.0", "mlx5_0", 1, "4-7");
}

static void no_matrix(const struct tree *t)
{
	tree_cpus(t, 8, 4, "0-7");
	tree_node(t, 0, "0-1", NULL);
	tree_node(t, 1, "2-3", NULL);
	tree_node(t, 2, "4-5", NULL);
	tree_node(t, 3, "6-7", NULL);
	plain_nic(t, "0000:00:01.0", "mlx5_0", 0, "0-1");
}

static void flat_matrix(const struct tree *t)
{
	tree_cpus(t, 8, 4, "0-7");
	tree_node(t, 0, "0-1", "10 20 20 20");
	tree_node(t, 1, "2-3", "20 10 20 20");
	tree_node(t, 2, "4-5", "20 20 10 20");
	tree_node(t, 3, "6-7", "20 20 20 10");
	plain_nic(t, "0000:00:01.0", "mlx5_0", 0, "0-1");
}

static void numa_off(const struct tree *t)
{
	tree_cpus(t, 8, 4, "0-7");
	tree_node(t, 0, "0-7", "10");
	plain_nic(t, "0000:00:01.0", "mlx5_0", 0, "0-7");
	plain_nic(t, "0000:00:02.0", "mlx5_1", -1, "4-7");
	plain_nic(t, "0000:00:03.0", "mlx5_2", -1, "0-7");
}

static void part(const struct tree *t)
{
	two_packages(t, 16);
	plain_nic(t, "0000:00:01.0", "mlx5_0", 0, "4-7");
	plain_nic(t, "0000:00:02.0", "mlx5_1", 0, "0-7");
	plain_nic(t, "0000:00:03.0", "mlx5_2", 1, "8-15");
}

/* ---- hostile ---- */

/* A c240 of which parts are missing, renamed, looping, too long or garbage. */
static void hostile(const struct tree *t)
{
	char name[256], big[8192];

	c240(t);
	memset(name, 'x', 255);
	name[255] = '\0';
	memset(big, '9', sizeof(big));
	/* names */
	tree_link(t, "../../devices/virtual/net/lo", "class/net/%s", name);
	tree_link(t, "../../devices/virtual/net/lo", "class/net/a\033[31mb");
	tree_link(t, "../../devices/virtual/net/lo", "class/infiniband/%s", name);
	tree_link(t, "../../devices/virtual/net/lo", "class/infiniband/\n");
	tree_link(t, "../../../devices/x", "bus/pci/devices/0000:zz:00.0");
	tree_link(t, "../../../devices/x", "bus/pci/devices/0000:ff:1f.7");
	/* loops and links to nothing */
	tree_link(t, "loop", "class/infiniband/loop");
	tree_link(t, "../net/loop", "class/net/loop");
	tree_link(t, "../../../../../../../../nowhere", "class/infiniband/nowhere");
	tree_link(t, ".", "class/infiniband_verbs/self");
	tree_link(t, "0000:06:00.0", "bus/pci/devices/0000:06:00.0/virtfn3");
	tree_link(t, "../../../../..", "bus/pci/devices/0000:07:00.0/virtfn0");
	/* missing */
	tree_drop(t, "class/infiniband/usnic_2/ports");
	tree_drop(t, "bus/pci/devices/0000:08:00.0/numa_node");
	tree_drop(t, "bus/pci/devices/0000:08:00.0/driver");
	tree_drop(t, "bus/pci/devices/0000:09:00.0/class");
	tree_drop(t, "class/infiniband_verbs/uverbs3/dev");
	/* garbage */
	tree_bytes(t, big, sizeof(big), "class/infiniband/usnic_0/max_vf");
	tree_bytes(t, "\0\0\0", 3, "class/infiniband/usnic_0/iface");
	tree_file(t, "-5", "class/infiniband/usnic_3/max_vf");
	tree_file(t, "../../etc/passwd", "class/infiniband/usnic_3/iface");
	tree_file(t, "not a number", "bus/pci/devices/0000:06:00.0/numa_node");
	tree_file(t, "99999999999999999999", "bus/pci/devices/0000:06:00.0/sriov_numvfs");
	tree_file(t, "0-7,99999", "bus/pci/devices/0000:06:00.0/local_cpulist");
	tree_file(t, "231:192:1", "class/infiniband_verbs/uverbs0/dev");
	tree_file(t, "usnic_99", "class/infiniband_verbs/uverbs2/ibdev");
	tree_file(t, "QPN: 7 VF Idx: -1", "class/infiniband/usnic_1/qpn/7/summary");
	tree_file(t, "QPN: 8 VF Idx: 65536", "class/infiniband/usnic_1/qpn/8/summary");
	tree_bytes(t, "\xff\xfe\0\1", 4, "class/infiniband/usnic_1/qpn/10/summary");
	tree_bytes(t, "", 0, "class/infiniband/usnic_1/qpn/summary");
}

/* ---- for tests/bench: 16 NICs of 64 VFs, each with ibdev, netdev and uverbs ---- */

static void big(const struct tree *t)
{
	char name[32], net[32];

	two_packages(t, 128);
	for (unsigned i = 0; i < 16; i++) {
		char above[64];
		struct card c = { above,       0x11 + 8 * i, NIC,    MELLANOX,
				  0x101d,      0x101e,	     i >= 8, i >= 8 ? "64-127" : "0-63",
				  "mlx5_core", "mlx5_core",  64,     64 };

		snprintf(above, sizeof(above), "pci0000:%02x/0000:%02x:01.0", 0x10 + 8 * i,
			 0x10 + 8 * i);
		card(t, &c);
		for (unsigned n = 0; n <= 64; n++) {
			snprintf(name, sizeof(name), "mlx5_%u", i * 65 + n);
			snprintf(net, sizeof(net), "enp%us0f0v%u", 0x11 + 8 * i, n);
			tree_net(t, card_dev(&c, n), net, "1");
			tree_ib(t, card_dev(&c, n), name, "4: ACTIVE", net, (int)(i * 65 + n));
		}
	}
}

const struct machine machines[] = {
	{ "c240", "two packages, four usNIC ports with 64 VFs each", c240 },
	{ "two-cpus", "two CPUs in two NUMA nodes, four usNIC ports with three VFs each",
	  two_cpus },
	{ "many-vfs", "the usNIC host of hwloc's tests: three ports with 3, 4 and 5 VFs",
	  many_vfs },
	{ "eight-rail", "two packages, eight switches with a NIC and a GPU each", eight_rail },
	{ "single", "one package, one NIC with four VFs that have ibdevs", single },
	{ "laptop", "no NIC for user space", laptop },
	{ "kinds", "VFs with netdevs, VFIO, virtio, soft-RoCE, switchdev, and what doesn't count",
	  kinds },
	{ "cpuless", "NUMA nodes without CPUs, a NIC in one of them", cpuless },
	{ "no-node", "two packages, NICs whose node is -1 or isn't there", no_node },
	{ "one-node-unknown", "one NUMA node, a NIC whose node is -1", one_node_unknown },
	{ "snc", "sub-NUMA clusters, a NIC at one of them and one at a package", snc },
	{ "asymmetric", "nodes of different sizes, the one NIC at the least", asymmetric },
	{ "offline", "offline CPUs in both nodes", offline },
	{ "no-matrix", "four nodes in two packages, firmware tells no distances", no_matrix },
	{ "flat-matrix", "four nodes in two packages, all others at 20", flat_matrix },
	{ "numa-off", "two packages in one NUMA node", numa_off },
	{ "part", "a NIC that is near to half of a NUMA node", part },
	{ "hostile", "c240 with missing, renamed, looping, too long and garbled parts", hostile },
	{ "big", "16 NICs with 64 VFs, each with ibdev, netdev and uverbs", big },
	{ NULL, NULL, NULL },
};

int machines_make(const char *name, const struct tree *t)
{
	for (const struct machine *m = machines; m->name; m++) {
		if (strcmp(m->name, name) != 0)
			continue;
		m->make(t);
		return 0;
	}
	return -1;
}
