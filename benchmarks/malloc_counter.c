/* Counts what every malloc of a process holds: preload it, then ask it over ctypes.
 *
 * Sizes are those that the C library really gave (malloc_usable_size) plus its 8-byte header. Mappings that
 * a program makes itself are not counted: they are code, files and the interpreter's arenas.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static atomic_long live, peak;

static void changed(long by) {
    long now = atomic_fetch_add(&live, by) + by;
    long top = atomic_load(&peak);
    while (now > top && !atomic_compare_exchange_weak(&peak, &top, now)) {
    }
}

static void *given(void *block) {
    if (block) changed((long)malloc_usable_size(block) + 8);
    return block;
}

long counter_live(void) { return atomic_load(&live); }
long counter_peak(void) { return atomic_load(&peak); }
void counter_reset(void) { atomic_store(&peak, atomic_load(&live)); }

void *malloc(size_t size) { return given(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return given(__libc_calloc(count, size)); }
void *memalign(size_t align, size_t size) { return given(__libc_memalign(align, size)); }
void *aligned_alloc(size_t align, size_t size) { return given(__libc_memalign(align, size)); }

void free(void *block) {
    if (block) changed(-(long)malloc_usable_size(block) - 8);
    __libc_free(block);
}

void *realloc(void *block, size_t size) {
    long before = block ? (long)malloc_usable_size(block) + 8 : 0;
    void *moved = __libc_realloc(block, size);
    if (moved || size == 0) {
        changed(-before);
        given(moved);
    }
    return moved;
}

int posix_memalign(void **place, size_t align, size_t size) {
    void *block = given(__libc_memalign(align, size));
    if (!block) return ENOMEM;
    *place = block;
    return 0;
}
