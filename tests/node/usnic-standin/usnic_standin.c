// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0
/*
 * A stand-in for Linux's usnic_verbs, for tests only: gives each Ethernet SR-IOV PF an RDMA device usnic_N that looks
 * to others (sysfs, uverbs, RDMA netlink) like that of a Cisco VIC, and moves no data.
 *
 * As usnic_verbs does it:
 * - one device per PF, with the PF as its parent, whose capacity are the PF's VFs;
 * - a VF is taken by a protection domain's first queue pair, and shared by those after it in the same domain, while it
 *   has room; it is free again when its last one goes. No VF left is ENOMEM;
 * - only UD queue pairs; qpn/N/{context,summary} in sysfs for each;
 * - port state: DOWN without carrier, INIT without IPv4 address, ACTIVE with both.
 * Not as there: a VF may have a netdev and a driver beside it, and no private data is exchanged with the process.
 */
#include <linux/etherdevice.h>
#include <linux/inetdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/version.h>
#include <net/addrconf.h>
#include <net/net_namespace.h>
#include <rdma/ib_addr.h>
#include <rdma/ib_verbs.h>
#include <rdma/uverbs_ioctl.h>

#define MAX_VFS 64

static unsigned int wq = 6, rq = 6, cq = 6, intr = 6;
module_param(wq, uint, 0444);
MODULE_PARM_DESC(wq, "send queues of a VF");
module_param(rq, uint, 0444);
MODULE_PARM_DESC(rq, "receive queues of a VF");
module_param(cq, uint, 0444);
MODULE_PARM_DESC(cq, "completion queues of a VF");
module_param(intr, uint, 0444);
MODULE_PARM_DESC(intr, "interrupts of a VF");

struct standin_pd {
	struct ib_pd ibpd;
};

struct standin_vf {
	struct standin_pd *pd; /* whose queue pairs it serves; NULL is free */
	unsigned long qps;     /* bit i: send and receive queue i in use */
};

struct standin_dev {
	struct ib_device ibdev;
	struct pci_dev *pf;
	struct kobject *qpn_dir;
	struct list_head link;
	struct mutex lock; /* of what follows, and of all queue pairs' states */
	struct standin_vf vf[MAX_VFS];
	u32 next_qpn;
};

/* A queue pair's sysfs directory; readers may outlive the queue pair, so it is an object of its own. */
struct standin_qpn {
	struct kobject kobj;
	struct standin_dev *dev;
	void *context;
	pid_t pid;
	u32 qpn;
	unsigned int vf, queue;
	enum ib_qp_state state;
};

struct standin_qp {
	struct ib_qp ibqp;
	struct standin_qpn *qpn;
};

struct standin_cq {
	struct ib_cq ibcq;
};
struct standin_ucontext {
	struct ib_ucontext ibuc;
};

static LIST_HEAD(devices);

static struct standin_dev *to_standin(struct ib_device *ibdev)
{
	return container_of(ibdev, struct standin_dev, ibdev);
}

static struct standin_dev *of_device(struct device *device)
{
	return rdma_device_to_drv_device(device, struct standin_dev, ibdev);
}

static struct standin_qp *to_standin_qp(struct ib_qp *ibqp)
{
	return container_of(ibqp, struct standin_qp, ibqp);
}

/* The PF's netdev with a reference, or NULL. Looked up each time, in all network namespaces: its driver may go. A
 * virtio netdev's parent is the virtio device, the PCI function is above that. */
static struct net_device *standin_netdev(struct standin_dev *dev)
{
	struct device *pf = &dev->pf->dev;
	struct net_device *netdev;
	struct net *net;

	rcu_read_lock();
	/* clang-format off */
	for_each_net_rcu(net)
		for_each_netdev_rcu(net, netdev) {
			struct device *parent = netdev->dev.parent;

			if (parent && (parent == pf || parent->parent == pf)) {
				dev_hold(netdev);
				rcu_read_unlock();
				return netdev;
			}
		}
	/* clang-format on */
	rcu_read_unlock();
	return NULL;
}

static __be32 standin_address(struct net_device *netdev)
{
	const struct in_ifaddr *ifa;
	struct in_device *in;
	__be32 address = 0;

	rcu_read_lock();
	in = __in_dev_get_rcu(netdev);
	ifa = in ? rcu_dereference(in->ifa_list) : NULL;
	if (ifa)
		address = ifa->ifa_address;
	rcu_read_unlock();
	return address;
}

static unsigned int standin_vfs(struct standin_dev *dev)
{
	return min_t(unsigned int, pci_num_vf(dev->pf), MAX_VFS);
}

/* ---- sysfs: the device's own files ---- */

static ssize_t board_id_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", of_device(device)->pf->subsystem_device);
}
static DEVICE_ATTR_RO(board_id);

static ssize_t iface_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct net_device *netdev = standin_netdev(of_device(device));
	ssize_t len = sysfs_emit(buf, "%s\n", netdev ? netdev->name : "");

	dev_put(netdev);
	return len;
}
static DEVICE_ATTR_RO(iface);

static ssize_t config_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct standin_dev *dev = of_device(device);
	struct net_device *netdev;
	ssize_t len;

	if (!standin_vfs(dev))
		return sysfs_emit(buf, "%s: no VFs\n", dev_name(device));
	netdev = standin_netdev(dev);
	len = sysfs_emit(buf,
			 "%s: %02x:%d.%d, %s, %pM, %u VFs\n Per VF: %u WQ, %u RQ, %u CQ, %u INT\n",
			 dev_name(device), dev->pf->bus->number, PCI_SLOT(dev->pf->devfn),
			 PCI_FUNC(dev->pf->devfn), netdev ? netdev->name : "",
			 netdev ? netdev->dev_addr : (const u8 *)"\0\0\0\0\0\0", standin_vfs(dev),
			 wq, rq, cq, intr);
	dev_put(netdev);
	return len;
}
static DEVICE_ATTR_RO(config);

static ssize_t max_vf_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", standin_vfs(of_device(device)));
}
static DEVICE_ATTR_RO(max_vf);

static ssize_t qp_per_vf_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", max(wq, rq));
}
static DEVICE_ATTR_RO(qp_per_vf);

static ssize_t cq_per_vf_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", cq);
}
static DEVICE_ATTR_RO(cq_per_vf);

static struct attribute *standin_attrs[] = {
	&dev_attr_board_id.attr,
	&dev_attr_config.attr,
	&dev_attr_iface.attr,
	&dev_attr_max_vf.attr,
	&dev_attr_qp_per_vf.attr,
	&dev_attr_cq_per_vf.attr,
	NULL,
};
static const struct attribute_group standin_group = { .attrs = standin_attrs };

/* ---- sysfs: qpn/N ---- */

static const char *state_name(enum ib_qp_state state)
{
	static const char *const name[] = { "Rst", "Init", "RTR", "RTS", "SQD", "SQE", "ERR" };

	return state < ARRAY_SIZE(name) ? name[state] : "?";
}

static ssize_t context_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0x%p\n", container_of(kobj, struct standin_qpn, kobj)->context);
}
static struct kobj_attribute context_attribute = __ATTR_RO(context);

static ssize_t summary_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct standin_qpn *q = container_of(kobj, struct standin_qpn, kobj);

	return sysfs_emit(buf,
			  "QPN: %u State: (%s) PID: %u VF Idx: %u WQ[%u] RQ[%u] CQ[%u] INT[%u]\n",
			  q->qpn, state_name(q->state), q->pid, q->vf, q->queue, q->queue, q->queue,
			  q->queue);
}
static struct kobj_attribute summary_attribute = __ATTR_RO(summary);

static struct attribute *qpn_attrs[] = { &context_attribute.attr, &summary_attribute.attr, NULL };
ATTRIBUTE_GROUPS(qpn);

static void qpn_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct standin_qpn, kobj));
}

static const struct kobj_type qpn_type = {
	.release = qpn_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = qpn_groups,
};

/* ---- verbs ---- */

static int standin_query_device(struct ib_device *ibdev, struct ib_device_attr *attr,
				struct ib_udata *udata)
{
	struct standin_dev *dev = to_standin(ibdev);

	attr->max_mr_size = U64_MAX;
	attr->page_size_cap = PAGE_SIZE;
	attr->vendor_id = 0x1137;
	attr->vendor_part_id = 0x00cf;
	attr->hw_ver = dev->pf->subsystem_device;
	attr->max_qp = max(wq, rq) * standin_vfs(dev);
	attr->max_cq = cq * standin_vfs(dev);
	attr->max_pd = 1024;
	return 0;
}

static int standin_query_port(struct ib_device *ibdev, u32 port, struct ib_port_attr *attr)
{
	struct net_device *netdev = standin_netdev(to_standin(ibdev));

	attr->active_speed = IB_SPEED_QDR;
	attr->active_width = IB_WIDTH_4X;
	attr->lmc = 1;
	attr->gid_tbl_len = 1;
	attr->pkey_tbl_len = 1;
	attr->max_vl_num = 1;
	attr->max_mtu = IB_MTU_4096;
	attr->active_mtu = netdev ? iboe_get_mtu(netdev->mtu) : IB_MTU_1024;
	attr->max_msg_sz = netdev ? netdev->mtu : 0;
	if (!netdev || !netif_carrier_ok(netdev)) {
		attr->state = IB_PORT_DOWN;
		attr->phys_state = IB_PORT_PHYS_STATE_DISABLED;
	} else if (!standin_address(netdev)) {
		attr->state = IB_PORT_INIT;
		attr->phys_state = IB_PORT_PHYS_STATE_PORT_CONFIGURATION_TRAINING;
	} else {
		attr->state = IB_PORT_ACTIVE;
		attr->phys_state = IB_PORT_PHYS_STATE_LINK_UP;
	}
	dev_put(netdev);
	return 0;
}

static int standin_port_immutable(struct ib_device *ibdev, u32 port,
				  struct ib_port_immutable *immutable)
{
	immutable->core_cap_flags = RDMA_CORE_PORT_USNIC;
	immutable->pkey_tbl_len = 1;
	immutable->gid_tbl_len = 1;
	return 0;
}

static enum rdma_link_layer standin_link_layer(struct ib_device *ibdev, u32 port)
{
	return IB_LINK_LAYER_ETHERNET;
}

static struct net_device *standin_get_netdev(struct ib_device *ibdev, u32 port)
{
	return standin_netdev(to_standin(ibdev));
}

static void standin_fw_str(struct ib_device *ibdev, char *str)
{
	strscpy(str, "stand-in", IB_FW_VERSION_NAME_MAX);
}

static int standin_query_gid(struct ib_device *ibdev, u32 port, int index, union ib_gid *gid)
{
	struct net_device *netdev = standin_netdev(to_standin(ibdev));

	memset(gid, 0, sizeof(*gid));
	gid->raw[0] = 0xfe;
	gid->raw[1] = 0x80;
	if (netdev)
		addrconf_addr_eui48(&gid->raw[8], netdev->dev_addr);
	dev_put(netdev);
	return 0;
}

static int standin_query_pkey(struct ib_device *ibdev, u32 port, u16 index, u16 *pkey)
{
	*pkey = 0xffff;
	return index ? -EINVAL : 0;
}

static int standin_alloc_ucontext(struct ib_ucontext *uc, struct ib_udata *udata)
{
	return 0;
}

static void standin_dealloc_ucontext(struct ib_ucontext *uc)
{
}

static int standin_alloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static int standin_dealloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define uverbs_attr_bundle ib_udata
#endif

static int standin_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr,
			     struct uverbs_attr_bundle *attrs)
{
	ibcq->cqe = attr->cqe;
	return 0;
}

static int standin_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata)
{
	return 0;
}

/* A VF for one more queue pair of PD: one that it has, with room, or a free one. Sets *queue; with the lock. */
static int vf_take(struct standin_dev *dev, struct standin_pd *pd, unsigned int *queue)
{
	unsigned int room = min3(wq, rq, (unsigned int)BITS_PER_LONG), i, vfs = standin_vfs(dev);
	int best = -1;

	for (i = 0; i < vfs; i++) {
		if (dev->vf[i].pd == pd && find_first_zero_bit(&dev->vf[i].qps, room) < room) {
			best = i;
			break;
		}
		if (best < 0 && !dev->vf[i].pd)
			best = i;
	}
	if (best < 0)
		return -ENOMEM;
	*queue = find_first_zero_bit(&dev->vf[best].qps, room);
	__set_bit(*queue, &dev->vf[best].qps);
	dev->vf[best].pd = pd;
	return best;
}

/* With the lock. */
static void vf_give(struct standin_dev *dev, unsigned int vf, unsigned int queue)
{
	__clear_bit(queue, &dev->vf[vf].qps);
	if (!dev->vf[vf].qps)
		dev->vf[vf].pd = NULL;
}

static int standin_create_qp(struct ib_qp *ibqp, struct ib_qp_init_attr *attr,
			     struct ib_udata *udata)
{
	struct standin_dev *dev = to_standin(ibqp->device);
	struct standin_qp *qp = to_standin_qp(ibqp);
	struct standin_qpn *q;
	int vf, rc;

	if (attr->qp_type != IB_QPT_UD || attr->create_flags || !udata)
		return -EINVAL;
	q = kzalloc(sizeof(*q), GFP_KERNEL);
	if (!q)
		return -ENOMEM;
	mutex_lock(&dev->lock);
	vf = vf_take(dev, container_of(ibqp->pd, struct standin_pd, ibpd), &q->queue);
	if (vf < 0) {
		mutex_unlock(&dev->lock);
		kfree(q);
		return vf;
	}
	q->dev = dev;
	q->vf = vf;
	q->pid = current->tgid;
	q->qpn = dev->next_qpn++;
	q->context = rdma_udata_to_drv_context(udata, struct standin_ucontext, ibuc);
	rc = kobject_init_and_add(&q->kobj, &qpn_type, dev->qpn_dir, "%u", q->qpn);
	if (rc) {
		vf_give(dev, q->vf, q->queue);
		kobject_put(&q->kobj);
	} else {
		qp->qpn = q;
		ibqp->qp_num = q->qpn;
	}
	mutex_unlock(&dev->lock);
	return rc;
}

static int standin_modify_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask,
			     struct ib_udata *udata)
{
	struct standin_dev *dev = to_standin(ibqp->device);

	mutex_lock(&dev->lock);
	if (mask & IB_QP_STATE)
		to_standin_qp(ibqp)->qpn->state = attr->qp_state;
	mutex_unlock(&dev->lock);
	return 0;
}

static int standin_query_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask,
			    struct ib_qp_init_attr *init)
{
	memset(attr, 0, sizeof(*attr));
	memset(init, 0, sizeof(*init));
	attr->qp_state = to_standin_qp(ibqp)->qpn->state;
	attr->cur_qp_state = attr->qp_state;
	return 0;
}

static int standin_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata)
{
	struct standin_dev *dev = to_standin(ibqp->device);
	struct standin_qpn *q = to_standin_qp(ibqp)->qpn;

	mutex_lock(&dev->lock);
	vf_give(dev, q->vf, q->queue);
	mutex_unlock(&dev->lock);
	kobject_del(&q->kobj);
	kobject_put(&q->kobj);
	return 0;
}

static struct ib_mr *standin_reg_user_mr(struct ib_pd *pd, u64 start, u64 length, u64 virt,
					 int access, struct ib_udata *udata)
{
	struct ib_mr *mr = kzalloc(sizeof(*mr), GFP_KERNEL);

	return mr ?: ERR_PTR(-ENOMEM);
}

static int standin_dereg_mr(struct ib_mr *mr, struct ib_udata *udata)
{
	kfree(mr);
	return 0;
}

static int standin_mmap(struct ib_ucontext *uc, struct vm_area_struct *vma)
{
	return -EOPNOTSUPP;
}

static const struct ib_device_ops standin_ops = {
	.owner = THIS_MODULE,
	.driver_id = RDMA_DRIVER_USNIC,
	.uverbs_abi_ver = 4,
	.device_group = &standin_group,
	.alloc_pd = standin_alloc_pd,
	.alloc_ucontext = standin_alloc_ucontext,
	.create_cq = standin_create_cq,
	.create_qp = standin_create_qp,
	.dealloc_pd = standin_dealloc_pd,
	.dealloc_ucontext = standin_dealloc_ucontext,
	.dereg_mr = standin_dereg_mr,
	.destroy_cq = standin_destroy_cq,
	.destroy_qp = standin_destroy_qp,
	.get_dev_fw_str = standin_fw_str,
	.get_link_layer = standin_link_layer,
	.get_netdev = standin_get_netdev,
	.get_port_immutable = standin_port_immutable,
	.mmap = standin_mmap,
	.modify_qp = standin_modify_qp,
	.query_device = standin_query_device,
	.query_gid = standin_query_gid,
	.query_pkey = standin_query_pkey,
	.query_port = standin_query_port,
	.query_qp = standin_query_qp,
	.reg_user_mr = standin_reg_user_mr,
	INIT_RDMA_OBJ_SIZE(ib_cq, standin_cq, ibcq),
	INIT_RDMA_OBJ_SIZE(ib_pd, standin_pd, ibpd),
	INIT_RDMA_OBJ_SIZE(ib_qp, standin_qp, ibqp),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, standin_ucontext, ibuc),
};

static int standin_add(struct pci_dev *pf)
{
	struct standin_dev *dev = ib_alloc_device(standin_dev, ibdev);
	union ib_gid gid;
	int rc;

	if (!dev)
		return -ENOMEM;
	dev->pf = pci_dev_get(pf);
	mutex_init(&dev->lock);
	dev->next_qpn = 1;
	dev->ibdev.node_type = RDMA_NODE_USNIC_UDP;
	dev->ibdev.phys_port_cnt = 1;
	dev->ibdev.num_comp_vectors = 1;
	dev->ibdev.dev.parent = &pf->dev;
	ib_set_device_ops(&dev->ibdev, &standin_ops);
	standin_query_gid(&dev->ibdev, 1, 0, &gid);
	dev->ibdev.node_guid = gid.global.interface_id;
	rc = ib_register_device(&dev->ibdev, "usnic_%d", &pf->dev);
	if (rc)
		goto free;
	dev->qpn_dir = kobject_create_and_add("qpn", &dev->ibdev.dev.kobj);
	if (!dev->qpn_dir) {
		rc = -ENOMEM;
		goto unregister;
	}
	list_add_tail(&dev->link, &devices);
	return 0;

unregister:
	ib_unregister_device(&dev->ibdev);
free:
	pci_dev_put(dev->pf);
	ib_dealloc_device(&dev->ibdev);
	return rc;
}

static void standin_remove_all(void)
{
	struct standin_dev *dev, *next;

	list_for_each_entry_safe(dev, next, &devices, link)
	{
		struct pci_dev *pf = dev->pf;

		list_del(&dev->link);
		kobject_put(dev->qpn_dir);
		ib_unregister_device(&dev->ibdev);
		ib_dealloc_device(&dev->ibdev);
		pci_dev_put(pf);
	}
}

static int __init standin_init(void)
{
	struct pci_dev *pci = NULL;
	int rc = 0;

	/* PCI order, as usnic_verbs meets them: the numbers follow the bus, not the NUMA node. */
	while (!rc && (pci = pci_get_class(PCI_CLASS_NETWORK_ETHERNET << 8, pci)))
		if (pci->is_physfn)
			rc = standin_add(pci);
	pci_dev_put(pci);
	if (rc)
		standin_remove_all();
	return rc;
}

static void __exit standin_exit(void)
{
	standin_remove_all();
}

module_init(standin_init);
module_exit(standin_exit);
MODULE_DESCRIPTION("Stand-in for usnic_verbs, for tests");
MODULE_LICENSE("Dual BSD/GPL");
