# What the Makefiles of the programs in folders of their own share: verify, approve, canary, import. Each names, before it includes this,
#
#   PROGRAM    the program's name; its manual page is PROGRAM.1
#   PARTS      its own files, without .c
#   CORE       files of extension/core that it compiles anew
#   SHARED     files of the sidecar's folders that it compiles anew, as FOLDER/FILE
#   PACKAGES   what pkg-config knows of its headers, if anything
#   LIBS       what it is linked with
prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
mandir ?= $(prefix)/share/man

EXTENSION = ../../extension
SIDECAR = ..
VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION)/reasoning_graph.control)
# An object has the name of its folder before its own.
OBJECTS = $(PARTS:%=%.o) $(CORE:%=core_%.o) $(subst /,_,$(SHARED:%=%.o))
HEADERS = $(wildcard *.h $(SIDECAR)/*/*.h $(EXTENSION)/core/*.h)

CC ?= gcc
CFLAGS ?= -O2 -g
HARDENING = -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
WARNINGS = -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wvla -Wno-unused-parameter -Wno-missing-field-initializers
ALL_CPPFLAGS = -I$(EXTENSION) -I$(SIDECAR) -D_GNU_SOURCE -DREASON_VERSION='"$(VERSION)"' $(if $(PACKAGES),$(shell pkg-config --cflags $(PACKAGES))) $(CPPFLAGS)

.PHONY: all install uninstall clean

all: $(PROGRAM)

$(PROGRAM): $(OBJECTS)
	$(CC) $(CFLAGS) $(HARDENING) -pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $(OBJECTS) $(LIBS)

# object FOLDER, PREFIX: files of the folder become objects with the prefix
define object
$(2)%.o: $(1)%.c $$(HEADERS)
	$$(CC) $$(WARNINGS) $$(HARDENING) $$(CFLAGS) $$(ALL_CPPFLAGS) -c -o $$@ $$<
endef
$(eval $(call object,,))
$(eval $(call object,$(EXTENSION)/core/,core_))
$(foreach folder,$(sort $(dir $(SHARED))),$(eval $(call object,$(SIDECAR)/$(folder),$(subst /,_,$(folder)))))

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man1
	install -m 755 $(PROGRAM) $(DESTDIR)$(bindir)/$(PROGRAM)
	install -m 644 $(PROGRAM).1 $(DESTDIR)$(mandir)/man1/$(PROGRAM).1

uninstall:
	rm -f $(DESTDIR)$(bindir)/$(PROGRAM) $(DESTDIR)$(mandir)/man1/$(PROGRAM).1

clean:
	rm -f $(PROGRAM) *.o
