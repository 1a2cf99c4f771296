/* Modbus RTU slave on libmodbus. usage: libmodbus_rtu TTY UNIT   (TTY may be - for the terminal on its standard input)
 * 900 holding registers hold their own offset, coils are off; whatever is beyond is refused (exception 2). */
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    modbus_t *context = modbus_new_rtu(strcmp(argv[1], "-") ? argv[1] : ttyname(0), 19200, 'N', 8, 1);
    modbus_mapping_t *map = modbus_mapping_new(900, 900, 900, 900);
    if (!context || !map) return 1;
    for (int i = 0; i < 900; i++) map->tab_registers[i] = map->tab_input_registers[i] = (uint16_t) i;
    modbus_set_slave(context, atoi(argv[2]));
    if (modbus_connect(context) < 0) { perror("connect"); return 1; }
    if (strcmp(argv[1], "-")) { puts("ready"); fflush(stdout); }
    for (;;) {
        uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
        int length = modbus_receive(context, query);
        if (length > 0) modbus_reply(context, query, length, map);
        else if (length < 0) { modbus_flush(context); usleep(1000); }
    }
}
