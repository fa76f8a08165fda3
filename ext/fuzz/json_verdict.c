/* Says what the scanner says, for tests that know the right answer from elsewhere. Reads records
 * of two 32-bit words in the machine's byte order, length and greatest depth, and the text; writes
 * the KB_JSON_ code of each as one octet. */
#include "../core/json_scan.h"

#include <stdio.h>
#include <stdlib.h>

int main(void) {
    uint32_t record[2];
    while (fread(record, sizeof record, 1, stdin) == 1) {
        kb_json_scan scan;
        uint8_t *const text = malloc(record[0]);
        if (record[0] != 0 && (!text || fread(text, record[0], 1, stdin) != 1)) {
            free(text);
            return 2;
        }
        putchar(kb_json_scan_any(&scan, text, record[0], record[1]));
        kb_json_scan_free(&scan);
        free(text);
    }
    return 0;
}
