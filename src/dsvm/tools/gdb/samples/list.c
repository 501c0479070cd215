/* A list whose third value is wrong: the debugger finds where, and where the program dies. */
#include <stdlib.h>

struct node {
    int value;
    struct node *next;
};

static struct node *push(struct node *head, int value)
{
    struct node *made = malloc(sizeof *made);
    made->value = value;
    made->next = head;
    return made;
}

static int sum(const struct node *head, int count)
{
    int total = 0;
    for (int n = 0; n < count; n++, head = head->next)
        total += head->value;
    return total;
}

int main(void)
{
    struct node *head = NULL;
    for (int value = 1; value <= 4; value++)
        head = push(head, value == 3 ? 30 : value);
    int total = sum(head, 4);
    total += sum(head, 5); /* one too many */
    return total == 37;
}
