/* Modbus TCP server on libmodbus, many clients. usage: libmodbus PORT [SIZE [ADDRESSES]]
 * SIZE (900) holding registers hold their own offset, coils are off; whatever is beyond is refused (exception 2).
 * It listens on 127.0.0.1, and with ADDRESSES on so many from there on: as many PLCs with one memory. */
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int size = argc > 2 ? atoi(argv[2]) : 900, addresses = argc > 3 ? atoi(argv[3]) : 1, highest = 0;
    modbus_t *context[200];
    int listener[200];
    modbus_mapping_t *map = modbus_mapping_new(size, size, size, size);
    for (int i = 0; i < size; i++) map->tab_registers[i] = map->tab_input_registers[i] = (uint16_t) i;
    fd_set open_sockets;
    FD_ZERO(&open_sockets);
    for (int i = 0; i < addresses && i < 200; i++) {
        char address[16];
        snprintf(address, sizeof address, "127.0.0.%d", i + 1);
        context[i] = modbus_new_tcp(address, atoi(argv[1]));
        listener[i] = modbus_tcp_listen(context[i], 8);
        if (listener[i] < 0) { perror("listen"); return 1; }
        FD_SET(listener[i], &open_sockets);
        highest = listener[i];
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        fd_set readable = open_sockets;
        if (select(highest + 1, &readable, NULL, NULL, NULL) < 0) return 1;
        for (int fd = 0; fd <= highest; fd++) {
            if (!FD_ISSET(fd, &readable)) continue;
            if (fd >= listener[0] && fd < listener[0] + addresses) {
                int client = modbus_tcp_accept(context[fd - listener[0]], &listener[fd - listener[0]]);
                FD_SET(client, &open_sockets);
                if (client > highest) highest = client;
                continue;
            }
            uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
            modbus_set_socket(context[0], fd);
            int length = modbus_receive(context[0], query);
            if (length > 0) modbus_reply(context[0], query, length, map);
            else if (length < 0) { close(fd); FD_CLR(fd, &open_sockets); }
        }
    }
}
