/* Modbus TCP server on libmodbus, many clients. usage: libmodbus PORT [SIZE]
 * SIZE (900) holding registers hold their own offset, coils are off; whatever is beyond is refused (exception 2). */
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    modbus_t *context = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    int size = argc > 2 ? atoi(argv[2]) : 900;
    modbus_mapping_t *map = modbus_mapping_new(size, size, size, size);
    for (int i = 0; i < size; i++) map->tab_registers[i] = map->tab_input_registers[i] = (uint16_t) i;
    int listener = modbus_tcp_listen(context, 8), highest = listener;
    if (listener < 0) { perror("listen"); return 1; }
    puts("ready");
    fflush(stdout);
    fd_set open_sockets;
    FD_ZERO(&open_sockets);
    FD_SET(listener, &open_sockets);
    for (;;) {
        fd_set readable = open_sockets;
        if (select(highest + 1, &readable, NULL, NULL, NULL) < 0) return 1;
        for (int fd = 0; fd <= highest; fd++) {
            if (!FD_ISSET(fd, &readable)) continue;
            if (fd == listener) {
                int client = modbus_tcp_accept(context, &listener);
                FD_SET(client, &open_sockets);
                if (client > highest) highest = client;
                continue;
            }
            uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
            modbus_set_socket(context, fd);
            int length = modbus_receive(context, query);
            if (length > 0) modbus_reply(context, query, length, map);
            else if (length < 0) { close(fd); FD_CLR(fd, &open_sockets); }
        }
    }
}
