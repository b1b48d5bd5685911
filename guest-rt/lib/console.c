/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The early console.  With NOTIFY: text the host prints because a call names its
 * address.  Generation F has none: there the emergency register of the PCI
 * console, a character at a time, by the window in its configuration space.
 */
#include <guest-rt/pci.h>
#include <virtio/console.h>
#include <virtio/pci.h>
#include <virtio/virtio.h>

#if GUEST_HAS_NOTIFY

#define CHUNK 16	/* what a Linux guest sends at a time */

void console_write(const char *text, size_t n)
{
	while (n) {
		char chunk[CHUNK + 1];
		size_t len = n < CHUNK ? n : CHUNK;

		memcpy(chunk, text, len);
		chunk[len] = '\0';
		hcall1(LHCALL_NOTIFY, guest_pa(chunk));
		text += len;
		n -= len;
	}
}

#else

#define CONSOLE_SLOT 1u		/* where the console has to be */
#define CONSOLE_ID (VIRTIO_PCI_VENDOR | (VIRTIO_PCI_DEVICE + VIRTIO_ID_CONSOLE) << 16)

/* Opens the window on the register; where its data is, or 0: nobody is there. */
static unsigned int open_window(void)
{
	unsigned int window, config;

	if (pci_read(CONSOLE_SLOT, PCI_ID, 4) != CONSOLE_ID)
		return 0;
	window = pci_virtio_capability(CONSOLE_SLOT, VIRTIO_PCI_CAP_WINDOW);
	config = pci_virtio_capability(CONSOLE_SLOT, VIRTIO_PCI_CAP_DEVICE);
	if (!window || !config)
		return 0;
	pci_write(CONSOLE_SLOT, window + 4, 1, pci_read(CONSOLE_SLOT, config + 4, 1));
	pci_write(CONSOLE_SLOT, window + 8, 4, pci_read(CONSOLE_SLOT, config + 8, 4) +
		  offsetof(struct virtio_console_config, emerg_wr));
	pci_write(CONSOLE_SLOT, window + 12, 4, 4);
	return window + 16;
}

void console_write(const char *text, size_t n)
{
	static unsigned int data;
	static bool looked;

	if (!looked) {
		looked = true;
		data = open_window();
	}
	while (data && n--)
		pci_write(CONSOLE_SLOT, data, 4, (uint8_t)*text++);
}

#endif

int printf(const char *fmt, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	console_write(line, strlen(line));
	return n;
}
