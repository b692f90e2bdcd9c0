#include "plugin/exports.h"
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/util.h"

enum { NAMES_SHOWN = 5 };

struct image { const unsigned char *bytes; size_t len; };

/* NULL where the range does not lie within the file, or not at an address that fits. */
static const void *at(const struct image *image, uint64_t offset, uint64_t len, size_t align)
{
    if (offset > image->len || len > image->len - offset || offset % align != 0)
        return NULL;
    return image->bytes + offset;
}

static void add_name(struct ft_buf *names, size_t count, const char *name)
{
    if (count < NAMES_SHOWN)
        ft_buf_addf(names, "%s%s", count ? ", " : "", name);
    else if (count == NAMES_SHOWN)
        ft_buf_adds(names, ", …");
}

static size_t in_table(const struct image *image, const ElfW(Shdr) *table, const ElfW(Shdr) *texts, const char *allowed, struct ft_buf *names)
{
    const ElfW(Sym) *symbols = at(image, table->sh_offset, table->sh_size, _Alignof(ElfW(Sym)));
    const char *text = at(image, texts->sh_offset, texts->sh_size, 1);
    size_t count = 0;

    for (size_t i = 0; symbols && text && i < table->sh_size / sizeof(*symbols); i++) {
        const ElfW(Sym) *symbol = &symbols[i];
        const char *name = text + symbol->st_name;
        unsigned char bind = symbol->st_info >> 4, visibility = symbol->st_other & 3;

        if (symbol->st_name >= texts->sh_size || !memchr(name, '\0', texts->sh_size - symbol->st_name))
            continue;
        if (symbol->st_shndx == SHN_UNDEF || (bind != STB_GLOBAL && bind != STB_WEAK) || visibility == STV_HIDDEN)
            continue;
        if (*name == '_' || *name == '\0' || strcmp(name, allowed) == 0)
            continue;
        add_name(names, count++, name);
    }
    return count;
}

static size_t in_image(const struct image *image, const char *allowed, struct ft_buf *names)
{
    const ElfW(Ehdr) *head = at(image, 0, sizeof(*head), _Alignof(ElfW(Ehdr)));
    const ElfW(Shdr) *sections;
    size_t count = 0;

    if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        head->e_shentsize != sizeof(*sections))
        return 0;
    sections = at(image, head->e_shoff, (uint64_t)head->e_shnum * sizeof(*sections), _Alignof(ElfW(Shdr)));
    for (size_t i = 0; sections && i < head->e_shnum; i++)
        if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < head->e_shnum)
            count += in_table(image, &sections[i], &sections[sections[i].sh_link], allowed, names);
    return count;
}

size_t ft_exports_besides(const char *path, const char *allowed, char **ret_names)
{
    struct image image = { 0 };
    struct ft_buf names = FT_BUF_INIT(0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *map = MAP_FAILED;
    size_t count = 0;

    *ret_names = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map != MAP_FAILED) {
        image = (struct image){ map, (size_t)st.st_size };
        count = in_image(&image, allowed, &names);
        munmap(map, (size_t)st.st_size);
    }
    if (fd >= 0)
        close(fd);
    if (count)
        *ret_names = ft_buf_take(&names);
    ft_buf_done(&names);
    return count;
}
