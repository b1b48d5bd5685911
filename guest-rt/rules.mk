# SPDX-License-Identifier: GPL-2.0-or-later
#
# GNU make rules for guests, apart from automake, which knows nothing of
# 32-bit freestanding programs.
#
# A library per generation of the ABI: libguest-rt.a is S, libguest-rt-LETTER.a
# the others.  A program NAME.elf is S, NAME-LETTER.elf the others.

guest_abis = a b c e f

guest_sources = block.c console.c data.c gdt.c guest.c hcall.c idt.c pci.c printf.c start.S \
	string.c trap.S user.S user.c virtio.c virtio_page.c virtio_pci.c
guest_headers = $(wildcard $(srcdir)/guest-rt/include/guest-rt/*.h \
	$(srcdir)/include/lguest/*.h $(srcdir)/include/virtio/*.h $(srcdir)/guest-rt/programs/*.h)

GUEST_CC = $(CC) -m32 -march=i686
GUEST_CFLAGS = -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -mno-sse -mno-mmx \
	-mno-red-zone -mpreferred-stack-boundary=2 -fcf-protection=none $(WARN_CFLAGS)
GUEST_CPPFLAGS = -I$(srcdir)/guest-rt/include -I$(srcdir)/include
GUEST_LDFLAGS = -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,-T,$(srcdir)/guest-rt/guest.ld

# $(1): letter of the generation, upper case; $(2): what file names carry.
define guest_rules
guest-rt/obj$(2)/%.o: $$(srcdir)/guest-rt/lib/% $$(guest_headers)
	@$$(MKDIR_P) guest-rt/obj$(2)
	$$(AM_V_CC)$$(GUEST_CC) $$(GUEST_CPPFLAGS) $$(GUEST_CFLAGS) \
		-DGUEST_ABI=GUEST_ABI_$(1) -c -o $$@ $$<

guest-rt/libguest-rt$(2).a: $$(patsubst %,guest-rt/obj$(2)/%.o,$$(guest_sources))
	$$(AM_V_AR)rm -f $$@ && $$(AR) cr $$@ $$^ && $$(RANLIB) $$@
endef

# $(1): program file, $(2): its source, $(3): letter, $(4): suffix of the
# library, $(5): more flags.
define guest_program
guest-rt/$(1).elf: $$(srcdir)/guest-rt/programs/$(2).c guest-rt/libguest-rt$(4).a \
		$$(srcdir)/guest-rt/guest.ld $$(guest_headers)
	$$(AM_V_CCLD)$$(GUEST_CC) $$(GUEST_CPPFLAGS) $$(GUEST_CFLAGS) \
		-DGUEST_ABI=GUEST_ABI_$(3) $(5) $$(GUEST_LDFLAGS) -o $$@ $$< \
		guest-rt/libguest-rt$(4).a
endef

upper = $(subst a,A,$(subst b,B,$(subst c,C,$(subst e,E,$(subst f,F,$(subst s,S,$(1)))))))
# A program's generations beside S.
abis_of = $(if $(filter pae mmio,$(1)),c e f,$(guest_abis))
abi_suffix = $(if $(filter s,$(1)),,-$(1))

# Rows of refuse.c and early.c: "/* case NAME abi LETTER: …".
cases = $(shell sed -n \
	's|^/\* case \([a-z0-9-]*\) abi \([a-z]\):.*|\1,\2,$(1)|p' $(srcdir)/guest-rt/programs/$(1).c)
guest_refusals := $(call cases,refuse) $(call cases,early)
comma = ,
row_name = $(word 1,$(subst $(comma), ,$(1)))
row_abi = $(word 2,$(subst $(comma), ,$(1)))
row_source = $(word 3,$(subst $(comma), ,$(1)))

$(foreach a,s $(guest_abis),$(eval $(call guest_rules,$(call upper,$(a)),$(call abi_suffix,$(a)))))
$(foreach p,$(guest_programs),$(eval $(call guest_program,$(p),$(p),S,,)))
$(foreach p,$(guest_everywhere),$(foreach a,$(call abis_of,$(p)),\
	$(eval $(call guest_program,$(p)-$(a),$(p),$(call upper,$(a)),-$(a),))))
# It looks at structures of the monitor's, which has 64 bits; and those at the kernel's
# headers, which Debian has for 64 bits in a place of their own.
host_headers := -idirafter /usr/include/$(shell $(CC) -print-multiarch)
$(eval $(call guest_program,takeover,takeover,S,,-malign-double -I$(srcdir)/uml-host $(host_headers)))
guest-rt/takeover.elf: $(wildcard $(srcdir)/uml-host/*/*.h)
$(foreach r,$(guest_refusals),$(eval $(call guest_program,refuse-$(call row_name,$(r)),$(call row_source,$(r)),$(call upper,$(call row_abi,$(r))),$(call abi_suffix,$(call row_abi,$(r))),-DCASE=case_$(subst -,_,$(call row_name,$(r))))))

guest_libs := guest-rt/libguest-rt.a $(patsubst %,guest-rt/libguest-rt-%.a,$(guest_abis))
guest_elfs := $(patsubst %,guest-rt/%.elf,$(guest_programs) takeover \
	$(foreach p,$(guest_everywhere),\
		$(patsubst %,$(p)-%,$(call abis_of,$(p)))) \
	$(foreach r,$(guest_refusals),refuse-$(call row_name,$(r))))

guests: $(guest_libs) $(guest_elfs)

clean-guests:
	rm -rf guest-rt/obj guest-rt/obj-? $(guest_libs) $(guest_elfs)

install-guests: guests
	$(MKDIR_P) $(DESTDIR)$(libdir) $(DESTDIR)$(pkgdatadir)/guests
	$(INSTALL_DATA) $(guest_libs) $(DESTDIR)$(libdir)
	$(INSTALL_DATA) guest-rt/hello.elf guest-rt/tour.elf guest-rt/bench.elf \
		$(DESTDIR)$(pkgdatadir)/guests

uninstall-guests:
	cd $(DESTDIR)$(libdir) && rm -f $(notdir $(guest_libs))
	rm -rf $(DESTDIR)$(pkgdatadir)/guests

.PHONY: guests clean-guests install-guests uninstall-guests
