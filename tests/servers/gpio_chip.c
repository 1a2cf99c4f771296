/* A GPIO chip where there is none: preloaded, it answers the kernel's GPIO character device interface (v2) at
 * /dev/gpiochip9, so that the real libgpiod is tried. build: cc -shared -fPIC gpio_chip.c -o gpio_chip.so
 * Eight lines; line 3 is called DOOR, line 5 is held by another program. A test moves and looks at lines with
 * gpio_push(line, level) and gpio_level(line); gpio_flags(line) tells how a line was asked for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CHIP "/dev/gpiochip9"
#define LINES 8
static struct { int level, fd, far; uint64_t flags; } line[LINES];
static int chip = -1;

int gpio_level(int n) { return line[n].level; }
uint64_t gpio_flags(int n) { return line[n].flags; }
void gpio_push(int n, int level) {
    if (line[n].level == level) return;
    line[n].level = level;
    struct gpio_v2_line_event event = {
        .timestamp_ns = 1, .offset = n,
        .id = level ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE,
    };
    if (line[n].fd > 0 && line[n].flags & (GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING))
        if (write(line[n].far, &event, sizeof event) < 0) return;
}

static int is_chip(const char *path) { return path && !strcmp(path, CHIP); }
static int null_stat(struct stat *found) {
    memset(found, 0, sizeof *found);
    found->st_mode = S_IFCHR | 0660;
    found->st_rdev = makedev(254, 9);
    return 0;
}
int __xstat(int version, const char *path, struct stat *found) {
    int (*real)(int, const char *, struct stat *) = dlsym(RTLD_NEXT, "__xstat");
    return is_chip(path) ? null_stat(found) : real(version, path, found);
}
int __lxstat(int version, const char *path, struct stat *found) {
    int (*real)(int, const char *, struct stat *) = dlsym(RTLD_NEXT, "__lxstat");
    return is_chip(path) ? null_stat(found) : real(version, path, found);
}
char *realpath(const char *path, char *found) {
    char *(*real)(const char *, char *) = dlsym(RTLD_NEXT, "realpath");
    if (strcmp(path, "/sys/dev/char/254:9/subsystem")) return real(path, found);
    return found ? strcpy(found, "/sys/bus/gpio") : strdup("/sys/bus/gpio");
}
int open(const char *path, int flags, ...) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    if (!is_chip(path)) return real(path, flags, mode);
    return chip = real("/dev/null", O_RDWR | O_CLOEXEC);
}
int close(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    if (fd == chip) chip = -1;
    for (int n = 0; n < LINES; n++)
        if (line[n].fd > 0 && line[n].fd == fd) { real(line[n].far); line[n].fd = line[n].far = 0; line[n].flags = 0; }
    return real(fd);
}

static int low(int n) { return !!(line[n].flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW); }
static void configure(int n, const struct gpio_v2_line_config *config, int index) {
    uint64_t values = 0, flags = config->flags;
    int has_values = 0;
    for (unsigned i = 0; i < config->num_attrs; i++) {
        if (!(config->attrs[i].mask >> index & 1)) continue;
        if (config->attrs[i].attr.id == GPIO_V2_LINE_ATTR_ID_FLAGS) flags = config->attrs[i].attr.flags;
        if (config->attrs[i].attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES) {
            values = config->attrs[i].attr.values;
            has_values = 1;
        }
    }
    line[n].flags = flags;
    if (flags & GPIO_V2_LINE_FLAG_OUTPUT && has_values) line[n].level = (values >> index & 1) ^ low(n);
}
static int line_info(struct gpio_v2_line_info *info) {
    if (info->offset >= LINES) { errno = EINVAL; return -1; }
    unsigned n = info->offset;
    memset(info, 0, sizeof *info);
    info->offset = n;
    if (n == 3) strcpy(info->name, "DOOR");
    if (n == 5) strcpy(info->consumer, "somebody");
    info->flags = line[n].flags | (n == 5 || line[n].fd ? GPIO_V2_LINE_FLAG_USED : 0) | GPIO_V2_LINE_FLAG_INPUT;
    return 0;
}
static int request_line(struct gpio_v2_line_request *request) {
    unsigned n = request->offsets[0];
    if (n == 5 || line[n].fd) { errno = EBUSY; return -1; }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return -1;
    line[n].fd = request->fd = ends[0];
    line[n].far = ends[1];
    configure(n, &request->config, 0);
    return 0;
}
static int line_ioctl(int n, unsigned long what, void *argument) {
    struct gpio_v2_line_values *values = argument;
    if (what == GPIO_V2_LINE_GET_VALUES_IOCTL) { values->bits = (line[n].level ^ low(n)) & values->mask; return 0; }
    if (what == GPIO_V2_LINE_SET_VALUES_IOCTL) {
        if (!(line[n].flags & GPIO_V2_LINE_FLAG_OUTPUT)) { errno = EPERM; return -1; }
        line[n].level = (values->bits & 1) ^ low(n);
        return 0;
    }
    if (what == GPIO_V2_LINE_SET_CONFIG_IOCTL) { configure(n, argument, 0); return 0; }
    errno = ENOTTY;
    return -1;
}
int ioctl(int fd, unsigned long what, ...) {
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    what = (uint32_t) what; /* some callers extend its sign */
    va_list more;
    va_start(more, what);
    void *argument = va_arg(more, void *);
    va_end(more);
    for (int n = 0; n < LINES; n++)
        if (line[n].fd > 0 && line[n].fd == fd) return line_ioctl(n, what, argument);
    if (fd != chip) return real(fd, what, argument);
    if (what == GPIO_GET_CHIPINFO_IOCTL) {
        struct gpiochip_info *info = argument;
        memset(info, 0, sizeof *info);
        strcpy(info->name, "gpiochip9");
        strcpy(info->label, "test");
        info->lines = LINES;
        return 0;
    }
    if (what == GPIO_V2_GET_LINEINFO_IOCTL) return line_info(argument);
    if (what == GPIO_V2_GET_LINE_IOCTL) return request_line(argument);
    errno = ENOTTY;
    return -1;
}
